#include "sala/tasks/user_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sala/core/error.h"

namespace sala::tasks {
namespace {

class UserFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("user_files_") + testing::UnitTest::GetInstance()->current_test_info()->name());
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

std::unique_ptr<UserFiles> open_mrcr(const std::string& rows, const std::string& tokenizer = "") {
  UserPaths paths;
  paths.mrcr = rows;
  paths.bins = tokenizer;
  return open_user_files(paths);
}

TEST_F(UserFilesTest, NeedlesAndBooksMakeOneTask) {
  std::string book;
  for (int i = 0; i < 300; ++i) book += "They went down to the river and stayed there for the whole of the day.\n";
  write("books/b.txt", book);
  write("books/a.txt", book);
  UserPaths paths;
  paths.needles = write("needles.json", kNeedles);
  paths.books = (folder_ / "books").string();
  const auto opened = open_user_files(paths);
  ASSERT_EQ(opened->tasks().size(), 1u);
  EXPECT_EQ(opened->tasks()[0]->name(), "nolima_user");
  EXPECT_EQ(opened->tasks()[0]->group(), "nolima_user");
  const std::vector<CorpusFile>& files = opened->corpora()->files;
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].role, "needles");
  EXPECT_EQ(files[1].role, "book a.txt");
  EXPECT_TRUE(files[1].path.ends_with("a.txt"));
  EXPECT_EQ(files[1].sha256, files[2].sha256);
  EXPECT_EQ(files[0].sha256.size(), 64u);
  const auto bytes = open_tokenizer("byte");
  SampleRequest request;
  request.length = 2000;
  request.corpora = opened->corpora();
  const Sample sample = opened->tasks()[0]->make_sample(request, *bytes);
  EXPECT_NE(sample.input.find("It is said that " + sample.outputs[0] + " owns the mill."), std::string::npos);
  EXPECT_TRUE(sample.id.starts_with("nolima_user/nolima_user@2000#0!42~files.")) << sample.id;
  EXPECT_EQ(regenerate(sample.id, *bytes, opened->corpora(), opened->tasks()).prompt(), sample.prompt());
  EXPECT_THROW(regenerate(sample.id, *bytes), Error) << "made from files that are not here";

  // A book by another name is another book: its name feeds the seed.
  std::filesystem::rename(folder_ / "books/b.txt", folder_ / "books/c.txt");
  EXPECT_NE(open_user_files(paths)->corpora()->hash, opened->corpora()->hash);
}

TEST_F(UserFilesTest, ABenchmarksNameMeansTheUsersTasks) {
  UserPaths paths;
  paths.needles = write("needles.json", kNeedles);
  const auto opened = open_user_files(paths);
  const auto names = [&](const std::string& list) {
    std::string joined;
    for (const Task* task : resolve_tasks(list, opened->tasks())) joined += std::string(task->name()) + " ";
    return joined;
  };
  EXPECT_EQ(names("nolima"), "nolima_user ");
  EXPECT_EQ(names("nolima_user,mrcr"), "nolima_user mrcr_2 mrcr_4 mrcr_8 ");
  EXPECT_EQ(resolve_tasks("nolima")[0]->name(), "nolima");
  EXPECT_THROW(resolve_tasks("nolima_user"), Error);
}

TEST_F(UserFilesTest, RowsMakeATaskForEachNeedleCount) {
  const std::string row =
      R"({"prompt": [{"role": "user", "content": "p"}, {"role": "user", "content": "write a poem about owls"}, {"role": "assistant", "content": "x"},
 {"role": "user", "content": "Prepend 0123456789 to the 1st (1 indexed) poem about owls. Do not include any other text in your response."}],
 "answer": "0123456789x", "random_string_to_prepend": "0123456789", "n_needles": 1, "desired_msg_index": 1)";
  std::string one = row;
  one.erase(std::remove(one.begin(), one.end(), '\n'), one.end());
  const auto opened = open_mrcr(write("rows.jsonl", one + ", \"tokens\": 5000}\nbroken\n"));
  ASSERT_EQ(opened->tasks().size(), 1u);
  EXPECT_EQ(opened->tasks()[0]->name(), "mrcr_official_1");
  EXPECT_EQ(resolve_tasks("mrcr", opened->tasks())[0]->name(), "mrcr_official_1");
  EXPECT_EQ(resolve_tasks("mrcr_2", opened->tasks())[0]->name(), "mrcr_2");
  ASSERT_EQ(opened->problems().size(), 1u);
  EXPECT_TRUE(opened->problems()[0].ends_with("rows.jsonl:2: this is no JSON"));
  const auto bytes = open_tokenizer("byte");
  const Task& task = *opened->tasks()[0];
  EXPECT_FALSE(task.traits().fits_length(Mode::kFixed));
  SampleRequest request;
  request.length = 8192;
  EXPECT_EQ(task.make_sample(request, *bytes).outputs, std::vector<std::string>{"0123456789x"});
  request.index = 1;
  EXPECT_THROW(task.make_sample(request, *bytes), Error) << "the bin has one row; none counts twice";
  // Without counts and without a tokenizer nobody knows the bins.
  EXPECT_THROW(open_mrcr(write("rows.jsonl", one + "}\n")), Error);
  const auto counted = open_mrcr(write("rows.jsonl", one + "}\n"), "byte");
  EXPECT_EQ(counted->tasks().size(), 1u);
  EXPECT_EQ(counted->corpora()->files[0].role, "mrcr in bins of " + bytes->hash());
}

TEST_F(UserFilesTest, MissingFilesAreNamed) {
  const auto refused = [](std::string UserPaths::*path) {
    UserPaths paths;
    paths.*path = "/nonexistent/file";
    EXPECT_THROW(open_user_files(paths), Error);
  };
  for (std::string UserPaths::*path : {&UserPaths::needles, &UserPaths::books, &UserPaths::mrcr, &UserPaths::bins})
    refused(path);
  const auto nothing = open_user_files({});
  EXPECT_TRUE(nothing->tasks().empty());
  EXPECT_EQ(nothing->corpora(), nullptr);
}

}  // namespace
}  // namespace sala::tasks
