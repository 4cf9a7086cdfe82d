#include "sim/text/output_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/text/files.h"
#include "tests/sim/expect_error.h"

namespace sala::text {
namespace {

namespace fs = std::filesystem;

class Output : public testing::Test {
 protected:
  Output() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename());
    return found;
  }
  const fs::path folder_ = fs::path(testing::TempDir()) /
                           (std::string("output_file_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Output, TakesItsPlaceWholeOrNotAtAll) {
  std::ofstream(path("a")) << "old";
  {
    OutputFile file(path("a"));
    file.write("new, not kept");
    EXPECT_EQ(read_file(path("a")), "old");
  }
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  OutputFile file(path("a"));
  file.write("12");
  file.write_at("56", 4);
  file.write("34");
  file.keep();
  EXPECT_EQ(read_file(path("a")), "123456");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(Output, ReplacesNothingButARegularFile) {
  std::ofstream(path("precious")) << "precious";
  fs::create_symlink(path("precious"), path("link"));
  fs::create_symlink(path("precious"), path("b.tmp"));
  expect_error(ErrorCode::kIo, {"a link"}, [&] { OutputFile(path("link")); });
  expect_error(ErrorCode::kIo, {"a directory"}, [&] { OutputFile(folder_.string()); });
  expect_error(ErrorCode::kIo, {"/dev/null", "a device"}, [] { OutputFile("/dev/null"); });
  expect_error(ErrorCode::kIo, {"No such file"}, [&] { OutputFile(path("none/x")); });
  OutputFile file(path("b"));
  file.write("text");
  file.keep();
  EXPECT_EQ(read_file(path("precious")), "precious");
  EXPECT_EQ(read_file(path("b")), "text");
}

}  // namespace
}  // namespace sala::text
