#include "tasks/nolima/books.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sala/core/error.h"
#include "sala/core/parallel.h"

namespace sala::tasks {
namespace {

class NolimaBooks : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("nolima_books_" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
  std::string refusal() {
    try {
      open_books(folder_.string());
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::filesystem::path folder_;
};

TEST_F(NolimaBooks, AreTheTextFilesSortedByName) {
  write("b.txt", "two\r\nlines\r\n");
  write("a.txt", "one\n");
  write("notes.md", "no book");
  const auto books = open_books(folder_.string());
  ASSERT_EQ(books->count(), 2);
  EXPECT_EQ(books->name(0), "a.txt");
  EXPECT_EQ(books->name(1), "b.txt");
  const auto bytes = open_tokenizer("byte");
  EXPECT_EQ(books->tokens(1, 0, *bytes, Mode::kFixed)->text, "two\nlines\n");
}

TEST_F(NolimaBooks, LoseTheirByteOrderMark) {
  write("a.txt", "\xEF\xBB\xBFone\n");
  const auto bytes = open_tokenizer("byte");
  EXPECT_EQ(open_books(folder_.string())->tokens(0, 0, *bytes, Mode::kFixed)->text, "one\n");
}

TEST_F(NolimaBooks, RefusesWhatIsNoBook) {
  EXPECT_NE(refusal().find("holds no .txt file"), std::string::npos);
  write("a.txt", " \n\n");
  EXPECT_NE(refusal().find("a.txt is empty"), std::string::npos);
  write("a.txt", "caf\xe9\n");
  EXPECT_NE(refusal().find("a.txt: line 1 (byte 3) is not UTF-8"), std::string::npos);
  EXPECT_THROW(open_books((folder_ / "missing").string()), Error);
}

TEST(NolimaOwnBooks, HoldAtLeastTheTokensAskedFor) {
  const auto bytes = open_tokenizer("byte"), words = open_tokenizer("whitespace");
  for (int64_t tokens : {500, 50000}) {
    EXPECT_GE(own_books(Split::kEval).tokens(2, tokens, *bytes, Mode::kFixed)->size(), tokens);
    EXPECT_GE(own_books(Split::kTrain).tokens(2, tokens, *words, Mode::kFixed)->size(), tokens);
  }
  EXPECT_EQ(own_books(Split::kEval).count(), 5);
  EXPECT_EQ(own_books(Split::kEval).name(4), "narrative_5");
}

// What the shelf remembers does not change what it gives.
TEST(NolimaOwnBooks, AreTheSameInAnyOrderAndFromAnyThread) {
  const auto bytes = open_tokenizer("byte");
  const BookShelf& books = own_books(Split::kEval);
  std::vector<std::string> first(10), again(10);
  for (int64_t i = 0; i < 10; ++i) first[static_cast<size_t>(i)] = books.tokens(i % 5, 3000 + i, *bytes, Mode::kFixed)->text;
  set_num_threads(3);
  parallel_for(10, [&](int64_t i, int) {
    again[static_cast<size_t>(9 - i)] = books.tokens((9 - i) % 5, 3000 + 9 - i, *bytes, Mode::kFixed)->text;
  });
  set_num_threads(0);
  EXPECT_EQ(first, again);
}

}  // namespace
}  // namespace sala::tasks
