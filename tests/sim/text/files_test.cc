#include "sim/text/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/sim/expect_error.h"

namespace sala::text {
namespace {

class ReadFile : public testing::Test {
 protected:
  ReadFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "read_file_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~ReadFile() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;  // of its own: the same test may run twice at once
};

TEST_F(ReadFile, GivesAllBytes) {
  for (const std::string& bytes : {std::string(), std::string("a\0b\r\n", 5), std::string(100'000, 'x')})
    EXPECT_EQ(read_file(write("x", bytes)), bytes);
  EXPECT_FALSE(read_file("/proc/self/status").empty()) << "a file that does not know its length";
  std::filesystem::create_symlink(write("x", "linked"), folder_ / "link");
  EXPECT_EQ(read_file((folder_ / "link").string()), "linked");
}

TEST_F(ReadFile, RefusesWhatIsLongerThanExpected) {
  EXPECT_EQ(read_file(write("x", "12345"), 5), "12345");
  expect_error(ErrorCode::kFormat, {"is 5 bytes long", "at most 4"}, [&] { read_file(write("x", "12345"), 4); });
  std::filesystem::resize_file(write("sparse", ""), uintmax_t{1} << 40);  // never allocated
  expect_error(ErrorCode::kFormat, {"sparse"}, [&] { read_file((folder_ / "sparse").string()); });
}

TEST_F(ReadFile, RefusesWhatIsNoRegularFile) {
  expect_error(ErrorCode::kIo, {"cannot read", "No such file"}, [&] { read_file((folder_ / "none").string()); });
  expect_error(ErrorCode::kIo, {"a directory"}, [&] { read_file(folder_.string()); });
  expect_error(ErrorCode::kIo, {"no regular file"}, [] { read_file("/dev/zero"); });
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ErrorCode::kIo, {"no regular file"}, [&] { read_file(pipe); });
}

}  // namespace
}  // namespace sala::text
