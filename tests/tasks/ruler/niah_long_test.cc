// The needle tasks where they are meant to be used: 1,000,000 and 2,097,152 tokens.
#include <gtest/gtest.h>

#include <unordered_set>

#include "tests/tasks/ruler/niah_check.h"

namespace sala::tasks {
namespace {

class LongNiah : public testing::TestWithParam<const Task*> {};
INSTANTIATE_TEST_SUITE_P(Tasks, LongNiah, testing::ValuesIn(niah_tasks()),
                         [](const auto& test) { return std::string(test.param->name()); });

TEST_P(LongNiah, HoldsAtOneAndTwoMillionTokens) {
  const auto family = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  for (const int64_t length : parse_lengths("1000k,2048k")) {
    SampleRequest request;
    request.length = length;
    request.index = 5;
    check_sample(GetParam()->make_sample(request, *family), *family);
  }
}

// The two essay corpora are streams of one grammar: chance makes a few sentences of the evaluation's haystack (1.1 million
// tokens) occur among the million sentences where training rows begin. Keys and values, which decide answers, never meet
// (tests/tasks/training_test.cc).
TEST(Essays, EvaluationAndTrainingMeetByChanceOnly) {
  std::unordered_set<uint64_t> eval;
  for (int64_t index = 0; index < 90000; ++index) eval.insert(stable_hash(essay_sentence(Split::kEval, index)));
  int64_t met = 0;
  for (int64_t index = 0; index < 1000000; ++index) met += eval.contains(stable_hash(essay_sentence(Split::kTrain, index)));
  EXPECT_LE(met, 21);
}

}  // namespace
}  // namespace sala::tasks
