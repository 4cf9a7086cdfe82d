#include "tasks/nolima/narrative.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string_view>

#include "tasks/nolima/books.h"
#include "tasks/nolima/checks.h"
#include "tasks/nolima/names.h"

namespace sala::tasks {
namespace {

TEST(NolimaNarrative, ParagraphsAreLinesOf200To600Characters) {
  int64_t spoken = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const std::string paragraph = narrative_paragraph(Split::kEval, static_cast<int>(i % kNarrativeSources), i);
    EXPECT_GE(paragraph.size(), 200u);
    EXPECT_LE(paragraph.size(), 600u);
    for (char c : paragraph) EXPECT_TRUE(c >= ' ' && c <= '~') << paragraph;
    for (char c : paragraph) EXPECT_FALSE(c >= '0' && c <= '9') << paragraph;
    EXPECT_TRUE(paragraph.back() == '.') << paragraph;
    spoken += paragraph.find('"') != std::string::npos;
  }
  EXPECT_GT(spoken, 400);  // dialogue
  EXPECT_LT(spoken, 1000);
}

// Words with a capital that no sentence begins with, `I` left out.
std::vector<std::string> inner_capitals(const std::string& text) {
  std::vector<std::string> words;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] < 'A' || text[i] > 'Z') continue;
    const char before = text[i - 1];
    const bool begins = before == '"' || before == '\n' || (before == ' ' && (text[i - 2] == '.' || text[i - 2] == '"'));
    const std::string word = text.substr(i, text.find_first_of(" ,.?!:;\"\n", i) - i);
    if (!begins && word != "I") words.push_back(word);
  }
  return words;
}

std::set<std::string_view> people(Split split) { return own_books(split).people(); }

TEST(NolimaNarrative, CapitalsInsideASentenceAreBystandersOfTheSplit) {
  for (Split split : {Split::kEval, Split::kTrain}) {
    const std::set<std::string_view> names = people(split);
    const std::vector<std::string> found = inner_capitals(narrative_book(split, 0, 200000));
    EXPECT_GT(found.size(), 500u);
    for (const std::string& word : found) EXPECT_TRUE(names.contains(word)) << word;
  }
}

// As many as in novels: most paragraphs have a name, and not only as the first word of a sentence.
TEST(NolimaNarrative, MostParagraphsHaveAName) {
  constexpr int64_t kParagraphs = 2000;
  for (Split split : {Split::kEval, Split::kTrain}) {
    const std::set<std::string_view> names = people(split);
    int64_t named = 0, inside = 0;
    for (int64_t i = 0; i < kParagraphs; ++i) {
      const std::string paragraph = narrative_paragraph(split, static_cast<int>(i % kNarrativeSources), i);
      HaystackWords words;
      words.add(paragraph);
      named += std::any_of(words.words.begin(), words.words.end(), [&](const auto& word) { return names.contains(word); });
      inside += !inner_capitals(paragraph).empty();
    }
    EXPECT_GT(named, kParagraphs * 7 / 10);
    EXPECT_LT(named, kParagraphs * 9 / 10);
    EXPECT_GT(inside, kParagraphs / 2);
  }
}

TEST(NolimaNarrative, WomenAndMenHaveTheirNames) {
  const auto &women = bystander_names(Split::kEval, 0, true), &men = bystander_names(Split::kEval, 0, false);
  for (std::string_view name : women) EXPECT_EQ(std::find(men.begin(), men.end(), name), men.end()) << name;
  EXPECT_GE(women.size(), 20u);
  EXPECT_GE(men.size(), 20u);
}

TEST(NolimaNarrative, ALongerBookBeginsWithTheShorterOne) {
  for (int book = 0; book < kNarrativeBooks; ++book) {
    const std::string small = narrative_book(Split::kEval, book, 5000), large = narrative_book(Split::kEval, book, 50000);
    EXPECT_EQ(large.substr(0, small.size()), small);
    EXPECT_GE(large.size(), 50000u);
    EXPECT_EQ(small.back(), '\n');
  }
}

TEST(NolimaNarrative, NoParagraphTwiceInAllBooksOfBothSplits) {
  std::set<std::string> seen;
  int64_t lines = 0;
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (int book = 0; book < kNarrativeBooks; ++book) {
      std::istringstream text(narrative_book(split, book, 200000));
      for (std::string line; std::getline(text, line); ++lines) seen.insert(line);
    }
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), lines);
}

TEST(NolimaNarrative, NothingOfWhatNeedlesAreAbout) {
  HaystackWords haystack;
  haystack.add(narrative_book(Split::kEval, 1, 1000000));
  for (std::string_view word :
       {"bread",   "cheese",     "meat",       "fish",   "fruit",  "dinner",   "supper",  "breakfast", "meal",
        "soup",    "cake",       "eat",        "ate",    "wine",   "beer",     "tea",     "coffee",    "milk",
        "water",   "drink",      "drank",      "juice",  "city",   "town",     "capital", "country",   "museum",
        "gallery", "painting",   "exhibition", "artist", "sport",  "game",     "race",    "medal",     "ball",
        "team",    "stadium",    "swim",       "flat",   "rent",   "workshop", "school",  "doctor",    "allergy",
        "disease", "profession", "trade",      "tool",   "hammer", "needle",   "living"}) {
    for (const std::string& stem : content_stems(word)) EXPECT_FALSE(haystack.stems.contains(stem)) << word;
  }
}

}  // namespace
}  // namespace sala::tasks
