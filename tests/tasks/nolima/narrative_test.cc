#include "tasks/nolima/narrative.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string_view>

#include "tasks/nolima/checks.h"

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

TEST(NolimaNarrative, SentencesBeginWithACapitalAndHaveNoNames) {
  const std::string text = narrative_book(Split::kEval, 0, 200000);
  for (size_t i = 1; i < text.size(); ++i) {
    const bool capital = text[i] >= 'A' && text[i] <= 'Z';
    if (!capital) continue;
    const char before = text[i - 1];
    const bool begins = before == '"' || before == '\n' || (before == ' ' && (text[i - 2] == '.' || text[i - 2] == '"'));
    const bool pronoun = text[i] == 'I' && (i + 1 == text.size() || text[i + 1] == ' ');
    EXPECT_TRUE(begins || pronoun) << text.substr(i < 40 ? 0 : i - 40, 60);
  }
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
