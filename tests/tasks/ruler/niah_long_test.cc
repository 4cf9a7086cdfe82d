// The needle tasks where they are meant to be used: 1,000,000 and 2,097,152 tokens.
#include <gtest/gtest.h>

#include "tests/tasks/ruler/niah_check.h"

namespace sala::tasks {
namespace {

class LongNiah : public testing::TestWithParam<const Task*> {};
INSTANTIATE_TEST_SUITE_P(Tasks, LongNiah, testing::ValuesIn(resolve_tasks("niah")),
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

}  // namespace
}  // namespace sala::tasks
