#include <gtest/gtest.h>

#include <unordered_set>

#include "sala/core/rng.h"
#include "tasks/nolima/narrative.h"
#include "tests/tasks/nolima/own_task.h"

namespace sala::tasks {
namespace {

TEST(NolimaSlow, LongSamplesFillTheirLength) {
  const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  for (int64_t length : {131072, 1000000, 2097152}) {
    for (int64_t index = 0; index < 6; ++index) {
      SampleRequest request;
      request.length = length;
      request.index = 57 * index;
      const Sample sample = nolima_task().make_sample(request, *tokenizer);
      const int64_t used = static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate;
      EXPECT_LE(used, length);
      EXPECT_GE(used, length - 64);
      EXPECT_EQ(sample.prompt().find(sample.outputs[0]), sample.prompt().rfind(sample.outputs[0])) << sample.id;
      EXPECT_EQ(sample.prompt_ids, tokenizer->encode(sample.prompt()));
    }
  }
}

// Spec 1.11 and 2.8: two million words, and what repeats are short remarks only.
TEST(NolimaSlow, SentencesHardlyRepeatInTwoMillionWords) {
  const std::string text = narrative_book(Split::kEval, 0, 11'000'000);
  std::unordered_set<uint64_t> paragraphs, sentences;
  int64_t repeated = 0, count = 0, words = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    EXPECT_TRUE(paragraphs.insert(stable_hash(line)).second) << line;
    for (size_t from = 0; from < line.size();) {
      const size_t stop = std::min(line.find(". ", from), line.size());
      const std::string_view sentence = line.substr(from, stop - from);
      repeated += !sentences.insert(stable_hash(sentence)).second;
      ++count;
      from = stop + 2;
    }
    for (char c : line) words += c == ' ';
    ++words;
    begin = end + 1;
  }
  EXPECT_GE(words, 2'000'000 * 9 / 10);
  RecordProperty("repeated_sentences_per_million", static_cast<int>(repeated * 1'000'000 / count));
  EXPECT_LT(static_cast<double>(repeated), 0.05 * static_cast<double>(count));
}

}  // namespace
}  // namespace sala::tasks
