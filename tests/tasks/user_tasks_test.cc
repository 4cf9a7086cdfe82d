#include "sala/tasks/user_tasks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sala/core/error.h"

namespace sala::tasks {
namespace {

class UserTasksTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("user_tasks_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "books");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;
};

constexpr const char* kNeedles =
    R"([{"id": "0001", "needle": "It is said that {CHAR} owns the {1}.", "character_set": ["Ann", "Bob"],
  "questions": {"onehop": "Who is near {2}?"}, "tests": {"T1": {"input_args": ["mill", "sea"]}}}])";

TEST_F(UserTasksTest, NeedlesAndBooksMakeOneTask) {
  std::string book;
  for (int i = 0; i < 300; ++i) book += "They went down to the river and stayed there for the whole of the day.\n";
  write("books/b.txt", book);
  write("books/a.txt", book);
  const auto opened = open_user_tasks({write("needles.json", kNeedles), (folder_ / "books").string(), ""});
  ASSERT_EQ(opened->tasks().size(), 1u);
  EXPECT_EQ(opened->tasks()[0].name, "nolima_user");
  EXPECT_EQ(opened->tasks()[0].group, "nolima");
  ASSERT_EQ(opened->files().size(), 3u);
  EXPECT_TRUE(opened->files()[1].path.ends_with("a.txt"));
  EXPECT_EQ(opened->files()[1].sha256, opened->files()[2].sha256);
  EXPECT_EQ(opened->files()[0].sha256.size(), 64u);
  const auto bytes = open_tokenizer("byte");
  SampleRequest request;
  request.length = 2000;
  const Sample sample = opened->tasks()[0].task->make_sample(request, *bytes);
  EXPECT_NE(sample.input.find("It is said that " + sample.outputs[0] + " owns the mill."), std::string::npos);
}

TEST_F(UserTasksTest, RowsMakeATaskForEachNeedleCount) {
  const std::string row =
      R"({"prompt": [{"role": "user", "content": "p"}, {"role": "user", "content": "write a poem about owls"}, {"role": "assistant", "content": "x"},
 {"role": "user", "content": "Prepend 0123456789 to the 1st (1 indexed) poem about owls. Do not include any other text in your response."}],
 "answer": "0123456789x", "random_string_to_prepend": "0123456789", "n_needles": 1, "desired_msg_index": 1)";
  std::string one = row;
  one.erase(std::remove(one.begin(), one.end(), '\n'), one.end());
  const auto opened = open_user_tasks({"", "", write("rows.jsonl", one + ", \"tokens\": 5000}\nbroken\n")});
  ASSERT_EQ(opened->tasks().size(), 1u);
  EXPECT_EQ(opened->tasks()[0].name, "mrcr_official_1");
  ASSERT_EQ(opened->problems().size(), 1u);
  EXPECT_TRUE(opened->problems()[0].ends_with("rows.jsonl:2: this is no JSON"));
  // Without counts and without a tokenizer nobody knows the bins.
  EXPECT_THROW(open_user_tasks({"", "", write("rows.jsonl", one + "}\n")}), Error);
  const auto bytes = open_tokenizer("byte");
  EXPECT_EQ(open_user_tasks({"", "", write("rows.jsonl", one + "}\n")}, bytes.get())->tasks().size(), 1u);
}

TEST_F(UserTasksTest, MissingFilesAreNamed) {
  EXPECT_THROW(open_user_tasks({"/nonexistent/n.json", "", ""}), Error);
  EXPECT_THROW(open_user_tasks({"", "/nonexistent", ""}), Error);
  EXPECT_THROW(open_user_tasks({"", "", "/nonexistent/r.jsonl"}), Error);
  EXPECT_TRUE(open_user_tasks({})->tasks().empty());
}

}  // namespace
}  // namespace sala::tasks
