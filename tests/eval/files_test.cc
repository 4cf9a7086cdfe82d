#include "eval/util/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/sim/model/small_model.h"

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
  EXPECT_TRUE(first.try_lock());
  EXPECT_FALSE(second.try_lock());
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

}  // namespace
}  // namespace sala::eval
