// Every task fills the length in `fixed` mode, whatever the tokenizer.
#include <gtest/gtest.h>

#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::tasks {
namespace {

constexpr double kLeastFill = 0.995;  // of the tokens that the answer budget leaves

class EveryFill : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Tokenizers, EveryFill,
                         testing::Values(SALA_SOURCE_DIR "/models/tokenizer.model", "byte", "whitespace"),
                         [](const auto& test) { return test.param.size() > 12 ? std::string("family") : test.param; });

TEST_P(EveryFill, LengthsAreFilledAndKept) {
  const auto tokenizer = open_tokenizer(GetParam());
  for (const TaskInfo& info : all_tasks()) {
    for (const int64_t length : {4096, 16384}) {
      for (int64_t index = 0; index < (length == 4096 ? 12 : 4); ++index) {
        SampleRequest request;
        request.length = length;
        request.index = index;
        Sample sample;
        try {
          sample = info.task->make_sample(request, *tokenizer);
        } catch (const Error& error) {  // a conversation of four or eight long replies is more than 4,096 bytes
          EXPECT_EQ(error.code(), ErrorCode::kUsage);
          EXPECT_TRUE(GetParam() == "byte" && length == 4096 && (info.name == "mrcr_4" || info.name == "mrcr_8"))
              << error.what();
          break;
        }
        const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
        const int64_t target = length - sample.tokens_to_generate;
        ASSERT_EQ(sample.prompt_ids, tokenizer->encode(sample.prompt())) << sample.id;
        EXPECT_LE(tokens, target) << sample.id;
        EXPECT_GE(static_cast<double>(tokens), kLeastFill * static_cast<double>(target)) << sample.id;
      }
    }
  }
}

}  // namespace
}  // namespace sala::tasks
