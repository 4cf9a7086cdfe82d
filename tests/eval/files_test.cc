#include "eval/util/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "tests/sim/model/small_model.h"

namespace {

// What the next call ends in, in place of the system's; 0 = the system's.
int fsync_of_a_folder_fails = 0, ftruncate_fails = 0;

int ended(long result, int& fails) {
  if (fails == 0) return static_cast<int>(result);
  errno = std::exchange(fails, 0);
  return -1;
}

}  // namespace

extern "C" int fsync(int descriptor) {
  struct stat info;
  int never = 0;
  const bool folder = fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode);
  return ended(syscall(SYS_fsync, descriptor), folder ? fsync_of_a_folder_fails : never);
}

extern "C" int ftruncate(int descriptor, off_t bytes) noexcept {
  return ended(ftruncate_fails != 0 ? 0 : syscall(SYS_ftruncate, descriptor, bytes), ftruncate_fails);
}

namespace sala::eval {
namespace {

TEST(Files, WriteReplacesTheWholeFileAndLeavesNoTemporary) {
  const TemporaryFolder folder;
  write_atomically(folder.file("a"), "first, and longer");
  write_atomically(folder.file("a"), "second");
  EXPECT_EQ(read_file(folder.file("a")), "second");
  EXPECT_FALSE(file_exists(folder.file("a.tmp")));
}

TEST(Files, AFailedWriteNamesThePathAndTheReason) {
  expect_error(ErrorCode::kIo, {"/proc/nowhere/a", "No such file"}, [] { write_atomically("/proc/nowhere/a", "x"); });
  expect_error(ErrorCode::kIo, {"/dev/null/a"}, [] { make_folders("/dev/null/a"); });
  expect_error(ErrorCode::kIo, {"/nowhere", "No such file"}, [] { read_file("/nowhere"); });
}

TEST(Files, AppendsAndReadsBack) {
  const TemporaryFolder folder;
  AppendFile file(folder.file("a"));
  file.append("hello\n");
  file.append("world\n");
  EXPECT_EQ(file.read(6, 5), "world");
  expect_error(ErrorCode::kFormat, {"12"}, [&] { file.read(6, 7); });
  expect_error(ErrorCode::kFormat, {"12"}, [&] { file.read(INT64_MAX, INT64_MAX); });
  file.truncate(6);
  EXPECT_EQ(read_file(folder.file("a")), "hello\n");
  EXPECT_EQ(AppendFile(folder.file("a")).size(), 6);
}

TEST(Files, TheSecondWriterIsRefusedTheLock) {
  const TemporaryFolder folder;
  AppendFile first(folder.file("a")), second(folder.file("a"));
  EXPECT_EQ(first.try_lock(), AppendFile::Lock::kTaken);
  EXPECT_EQ(second.try_lock(), AppendFile::Lock::kHeldElsewhere);
}

TEST(Files, NothingIsWrittenThroughALink) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  write_bytes(folder.file("precious"), "precious");
  for (const char* target : {"precious", "nowhere", "."}) {
    for (const char* name : {"a.tmp", "b", "grows", "inner"}) fs::create_symlink(target, folder.file(name));
    write_atomically(folder.file("a"), "text");
    EXPECT_EQ(read_file(folder.file("a")), "text");
    expect_error(ErrorCode::kIo, {"b", "link"}, [&] { write_atomically(folder.file("b"), "text"); });
    expect_error(ErrorCode::kIo, {"grows", "link"}, [&] { AppendFile(folder.file("grows")); });
    expect_error(ErrorCode::kIo, {"inner"}, [&] { make_own_folder(folder.file("inner")); });
    for (const char* name : {"a", "b", "grows", "inner"}) fs::remove(folder.file(name));
  }
  EXPECT_EQ(read_file(folder.file("precious")), "precious");
  EXPECT_FALSE(file_exists(folder.file("nowhere")));
  make_own_folder(folder.file("inner"));
  make_own_folder(folder.file("inner"));
  expect_error(ErrorCode::kIo, {"/dev/null", "no regular file"}, [] { AppendFile("/dev/null"); });
}

TEST(Files, LinesOfAnyLengthUpToTheMost) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a"), long_line(3 << 20, 'x');
  write_bytes(path, "one\n\n" + long_line + "\nend");
  LineReader lines(path);
  std::string line;
  for (const std::string& expected : {std::string("one"), std::string(), long_line, std::string("end")}) {
    ASSERT_TRUE(lines.next(line));
    EXPECT_TRUE(line == expected) << lines.number();
  }
  EXPECT_EQ(lines.number(), 4);
  EXPECT_FALSE(lines.next(line));
  LineReader bounded(path, 1000);
  EXPECT_TRUE(bounded.next(line) && bounded.next(line));
  expect_error(ErrorCode::kFormat, {"a:3", "1000 bytes"}, [&] { bounded.next(line); });
  expect_error(ErrorCode::kIo, {"/dev/zero"}, [] { LineReader("/dev/zero"); });
  expect_error(ErrorCode::kIo, {"regular"}, [&] { LineReader(folder.path()); });
}

// A full disk in small: the process may not make files longer than 8 bytes.
TEST(Files, AFullDiskKeepsWhatWasThere) {
  const TemporaryFolder folder;
  write_atomically(folder.file("whole"), "old");
  AppendFile file(folder.file("grows"));
  file.append("12345");
  signal(SIGXFSZ, SIG_IGN);
  rlimit before, small;
  getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 8;
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(write_atomically(folder.file("whole"), "much too long"), Error);
  EXPECT_THROW(file.append("678901234"), Error);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(read_file(folder.file("whole")), "old");
  EXPECT_FALSE(file_exists(folder.file("whole.tmp")));
  EXPECT_EQ(read_file(folder.file("grows")), "12345");
  file.append("6");
  EXPECT_EQ(read_file(folder.file("grows")), "123456");
}

// A rename that is not on the disk is no rename after a power cut.
TEST(Files, AFolderThatCannotBeFlushedIsAnError) {
  const TemporaryFolder folder;
  for (const int number : {EIO, ENOSPC}) {
    fsync_of_a_folder_fails = number;
    expect_error(ErrorCode::kIo, {"cannot flush", folder.path()}, [&] { write_atomically(folder.file("a"), "text"); });
    EXPECT_FALSE(file_exists(folder.file("a.tmp")));
  }
  for (const int number : {EINVAL, ENOTSUP}) {  // a file system that cannot
    fsync_of_a_folder_fails = number;
    write_atomically(folder.file("b"), "text");
    EXPECT_EQ(fsync_of_a_folder_fails, 0) << "it was tried";
  }
}

// A line behind the beginning of another one would be a damaged line.
TEST(Files, WhereAFailedAppendCannotBeTakenBackNothingFollows) {
  const TemporaryFolder folder;
  AppendFile file(folder.file("a"));
  file.append("1234\n");
  signal(SIGXFSZ, SIG_IGN);
  rlimit before, small;
  getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 8;
  setrlimit(RLIMIT_FSIZE, &small);
  ftruncate_fails = EIO;
  expect_error(ErrorCode::kIo, {"File too large", "could not be taken back"}, [&] { file.append("5678\n"); });
  setrlimit(RLIMIT_FSIZE, &before);
  expect_error(ErrorCode::kIo, {"an earlier write"}, [&] { file.append("9\n"); });
  EXPECT_EQ(read_file(folder.file("a")), "1234\n567");
}

// Whoever had the lock before may have written.
TEST(Files, ALockedFileHasTheSizeThatItHasThen) {
  const TemporaryFolder folder;
  AppendFile second(folder.file("a"));
  {
    AppendFile first(folder.file("a"));
    EXPECT_EQ(first.try_lock(), AppendFile::Lock::kTaken);
    first.append("line\n");
  }
  EXPECT_EQ(second.try_lock(), AppendFile::Lock::kTaken);
  EXPECT_EQ(second.size(), 5);
}

}  // namespace
}  // namespace sala::eval
