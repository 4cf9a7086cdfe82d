#include "tasks/mrcr/replies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>

#include "tasks/mrcr/lexicon.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

int64_t count_word(const std::string& text, const std::string& word) {
  int64_t found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

TEST(MrcrReplies, TopicsAreManyDistinctAndInBothSplits) {
  const auto& topics = mrcr_topics();
  EXPECT_GE(topics.size(), 400u);
  EXPECT_EQ(std::set<std::string_view>(topics.begin(), topics.end()).size(), topics.size());
  const auto eval =
      std::count_if(topics.begin(), topics.end(), [](std::string_view topic) { return split_of(topic) == Split::kEval; });
  EXPECT_GE(eval, 150);
  EXPECT_GE(static_cast<int64_t>(topics.size()) - eval, 400);
}

TEST(MrcrReplies, NothingTellsTheOrdinal) {
  static const std::regex order(
      "\\b(first|second|third|fourth|fifth|sixth|seventh|eighth|last|next|previous|[0-9]+(st|nd|rd|th))\\b");
  for (const auto words :
       {mrcr_topic_clauses(), mrcr_plain_clauses(), mrcr_links(), mrcr_places(), mrcr_weathers(), mrcr_colours(),
        mrcr_tools(), mrcr_nouns(), mrcr_adjectives(), mrcr_verbs(), std::span<const std::string_view>(mrcr_topics())}) {
    for (std::string_view word : words) EXPECT_FALSE(std::regex_search(std::string(word), order)) << word;
  }
}

TEST(MrcrReplies, TopicClausesNameTheTopicOnceAndOthersNever) {
  for (std::string_view clause : mrcr_topic_clauses()) EXPECT_EQ(std::count(clause.begin(), clause.end(), 'T'), 1) << clause;
  for (std::string_view clause : mrcr_plain_clauses()) EXPECT_EQ(std::count(clause.begin(), clause.end(), 'T'), 0) << clause;
}

// Length, sentence count and the share of sentences with the topic, for every format.
TEST(MrcrReplies, RepliesHaveTheSizeAskedFor) {
  for (int format = 0; format < static_cast<int>(mrcr_formats().size()); ++format) {
    for (int64_t chars : {900, 1800, 3000}) {
      for (uint64_t i = 0; i < 20; ++i) {
        Rng rng(7, "replies", i, static_cast<uint32_t>(format));
        const std::string reply = ReplyWriter(rng, Split::kEval).write(format, "qqqq", chars);
        EXPECT_GT(static_cast<int64_t>(reply.size()), chars * 80 / 100) << mrcr_formats()[static_cast<size_t>(format)];
        EXPECT_LT(static_cast<int64_t>(reply.size()), chars * 115 / 100) << mrcr_formats()[static_cast<size_t>(format)];
        const int64_t sentences = count_word(reply, ".\n") + count_word(reply, ". ") + reply.ends_with(".");
        EXPECT_GE(sentences, 6);
        EXPECT_LE(sentences, 23);  // 20, and the dialogue's scene line
        const int64_t named = count_word(reply, "qqqq");
        EXPECT_GE(named, 2);
        EXPECT_LE(named, sentences * 35 / 100 + 2);  // and once in a title
      }
    }
  }
}

TEST(MrcrReplies, LengthsFollowTheTable) {
  Rng rng(1, "chars");
  std::vector<int64_t> drawn;
  for (int i = 0; i < 20000; ++i) drawn.push_back(draw_reply_chars(rng, 1800));
  std::sort(drawn.begin(), drawn.end());
  EXPECT_GE(drawn.front(), 900);
  EXPECT_LE(drawn.back(), 3000);
  EXPECT_NEAR(static_cast<double>(drawn[drawn.size() / 2]), 1778, 30);         // median of the cut distribution
  EXPECT_NEAR(static_cast<double>(drawn[drawn.size() * 84 / 100]), 2310, 60);  // + one standard deviation
}

TEST(MrcrReplies, AreAFunctionOfTheStream) {
  const auto make = [](uint64_t sample) {
    Rng rng(3, "same", sample);
    return ReplyWriter(rng, Split::kTrain).write(2, "lanterns", 1500);
  };
  EXPECT_EQ(make(1), make(1));
  EXPECT_NE(make(1), make(2));
}

}  // namespace
}  // namespace sala::tasks
