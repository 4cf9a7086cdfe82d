// Word lists, keys and values, essays.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "tasks/text/essay.h"
#include "tasks/text/values.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

TEST(WordLists, AreLargeDistinctLowerCaseAndSingleWords) {
  EXPECT_GE(adjectives().size(), 700u);
  EXPECT_GE(nouns().size(), 5000u);
  EXPECT_GE(verbs().size(), 800u);
  for (const auto* list : {&adjectives(), &nouns(), &verbs()}) {
    std::set<std::string_view> seen;
    for (const std::string_view word : *list) {
      EXPECT_TRUE(seen.insert(word).second) << word << " twice";
      EXPECT_TRUE(!word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
          << word;
      EXPECT_TRUE(word != "special" && word != "magic") << "a word of the needle templates";
    }
  }
}

// The lists are frozen: members were trained on them.
TEST(WordLists, ArePinned) {
  std::string all;
  for (const auto* list : {&adjectives(), &nouns(), &verbs()})
    for (const std::string_view word : *list) all.append(word).push_back('\n');
  EXPECT_EQ(stable_hash(all), 0x9eee315960665e03u);
}

TEST(Values, HaveTheirForms) {
  for (uint64_t sample = 0; sample < 500; ++sample) {
    Rng rng(1, "values", sample);
    const std::string number = draw_value(rng, ValueKind::kNumber, Split::kEval);
    EXPECT_EQ(number.size(), 7u);
    EXPECT_EQ(number.find_first_not_of("0123456789"), std::string::npos);
    EXPECT_NE(number[0], '0');
    const std::string uuid = draw_value(rng, ValueKind::kUuid, Split::kEval);
    ASSERT_EQ(uuid.size(), 36u);
    for (size_t i = 0; i < 36; ++i) {
      const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
      EXPECT_EQ(uuid[i] == '-', dash) << uuid;
      EXPECT_TRUE(dash || std::string_view("0123456789abcdef").find(uuid[i]) != std::string_view::npos) << uuid;
    }
    EXPECT_EQ(uuid[14], '4') << "version";
    EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos) << "variant";
    const std::string word = draw_value(rng, ValueKind::kWord, Split::kEval);
    const size_t dash = word.find('-');
    ASSERT_NE(dash, std::string::npos);
    EXPECT_NE(std::find(adjectives().begin(), adjectives().end(), word.substr(0, dash)), adjectives().end());
    EXPECT_NE(std::find(nouns().begin(), nouns().end(), word.substr(dash + 1)), nouns().end());
  }
}

// Frozen with the models: which strings were trained on is decided here.
TEST(Values, ArePinned) {
  Rng rng(42, "pinned");
  EXPECT_EQ(draw_value(rng, ValueKind::kWord, Split::kTrain), "equal-boatswain");
  EXPECT_EQ(draw_value(rng, ValueKind::kNumber, Split::kEval), "8770831");
  EXPECT_EQ(draw_value(rng, ValueKind::kUuid, Split::kEval), "9baeab59-40b4-4b98-bf4b-8df110dc29ee");
}

TEST(Split, IsAQuarterForEvaluationAndLooksAtTheStringAlone) {
  for (const ValueKind kind : {ValueKind::kWord, ValueKind::kNumber, ValueKind::kUuid}) {
    std::set<std::string> eval, train;
    for (uint64_t sample = 0; sample < 2000; ++sample) {
      Rng rng(2, "split", sample);
      eval.insert(draw_value(rng, kind, Split::kEval));
      train.insert(draw_value(rng, kind, Split::kTrain));
    }
    for (const std::string& value : eval) {
      EXPECT_EQ(split_of(value), Split::kEval);
      EXPECT_FALSE(train.contains(value)) << value;
    }
    for (const std::string& value : train) EXPECT_EQ(split_of(value), Split::kTrain);
  }
  int evaluated = 0;
  for (int number = 1000000; number < 1040000; ++number) evaluated += split_of(std::to_string(number)) == Split::kEval;
  EXPECT_NEAR(evaluated, 10000, 400);  // sigma is 87
}

TEST(Essay, SentencesArePlainAndPure) {
  for (const Split split : {Split::kEval, Split::kTrain})
    for (int64_t index = 0; index < 5000; ++index) {
      const std::string sentence = essay_sentence(split, index);
      EXPECT_EQ(sentence, essay_sentence(split, index));
      EXPECT_TRUE(sentence[0] >= 'A' && sentence[0] <= 'Z') << sentence;
      EXPECT_EQ(sentence.back(), '.');
      const std::string_view rest = std::string_view(sentence).substr(1, sentence.size() - 2);
      EXPECT_TRUE(std::all_of(rest.begin(), rest.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == ' '; }))
          << sentence;
      EXPECT_EQ(rest.find("  "), std::string_view::npos) << sentence;
      const auto words = std::count(rest.begin(), rest.end(), ' ') + 1;
      EXPECT_TRUE(words >= 5 && words <= 28) << sentence;
      for (const char* word : {" special ", " magic "}) EXPECT_EQ(sentence.find(word), std::string::npos) << sentence;
    }
}

TEST(Essay, IsPinned) {
  uint64_t eval = 0, train = 0;
  for (int64_t index = 0; index < 2000; ++index) {
    eval = stable_hash(essay_sentence(Split::kEval, index), eval);
    train = stable_hash(essay_sentence(Split::kTrain, index * 500), train);
  }
  EXPECT_EQ(eval, 14015681457334440465u);
  EXPECT_EQ(train, 5377688168739709719u);
}

// Spec tasks 1.11 asks for 2 million words. The other split's sentences, twice as many, are strangers too.
TEST(Essay, RepeatsNoSentenceAndSharesNoneWithTraining) {
  std::unordered_set<uint64_t> seen;
  int64_t words = 0, index = 0;
  for (; words < 2'000'000; ++index) {
    const std::string sentence = essay_sentence(Split::kEval, index);
    words += 1 + std::count(sentence.begin(), sentence.end(), ' ');
    EXPECT_TRUE(seen.insert(stable_hash(sentence)).second) << index << ": " << sentence;
  }
  for (int64_t other = 0; other < 2 * index; ++other) {
    const std::string sentence = essay_sentence(Split::kTrain, other);
    EXPECT_FALSE(seen.contains(stable_hash(sentence))) << sentence;
  }
}

TEST(Essay, ArticlesFitTheirNouns) {
  for (int64_t index = 0; index < 20000; ++index) {
    const std::string text = " " + essay_sentence(Split::kEval, index);
    for (const char* wrong : {" a a", " a e", " a i", " an b", " an t", " A a", " A i"}) {
      const size_t at = text.find(wrong);
      EXPECT_TRUE(at == std::string::npos || text.compare(at, 5, " a eu") == 0 || text.compare(at + 3, 2, "on") == 0)
          << text;
    }
  }
}

TEST(Essay, EightSentencesShareTheirTopics) {
  // Every pattern has a topic slot; topics are four nouns a block. Blocks of eight therefore repeat nouns far more than
  // strangers do.
  const auto shared = [](int64_t first, int64_t second) {
    int64_t common = 0;
    for (int64_t i = 0; i < 8; ++i) {
      std::set<std::string> words;
      const auto collect = [&](const std::string& sentence, bool count) {
        for (size_t begin = 0; begin < sentence.size();) {
          const size_t end = std::min(sentence.find_first_of(" .", begin), sentence.size());
          const std::string word = sentence.substr(begin, end - begin);
          if (word.size() > 5) common += count ? words.contains(word) : (words.insert(word), 0);
          begin = end + 1;
        }
      };
      collect(essay_sentence(Split::kEval, first * 8 + i), false);
      collect(essay_sentence(Split::kEval, second * 8 + (i + 1) % 8), true);
    }
    return common;
  };
  int64_t inside = 0, across = 0;
  for (int64_t block = 0; block < 200; ++block) inside += shared(block, block), across += shared(block, block + 1);
  EXPECT_GT(inside, 2 * across);
}

}  // namespace
}  // namespace sala::tasks
