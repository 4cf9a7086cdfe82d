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

void expect_filled(const Sample& sample, const Tokenizer& tokenizer) {
  const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
  const int64_t target = sample.request.length - sample.tokens_to_generate;
  ASSERT_EQ(sample.prompt_ids, tokenizer.encode(sample.prompt())) << sample.id;
  EXPECT_LE(tokens, target) << sample.id;
  EXPECT_GE(static_cast<double>(tokens), kLeastFill * static_cast<double>(target)) << sample.id;
}

TEST_P(EveryFill, LengthsAreFilledAndKept) {
  const auto tokenizer = open_tokenizer(GetParam());
  for (const Task* task : all_tasks()) {
    for (const int64_t length : {4096, 16384}) {
      for (int64_t index = 0; index < (length == 4096 ? 12 : 4); ++index) {
        SampleRequest request;
        request.length = length;
        request.index = index;
        try {
          expect_filled(task->make_sample(request, *tokenizer), *tokenizer);
        } catch (const Error& error) {  // a conversation of four or eight long replies is more than 4,096 bytes
          EXPECT_EQ(error.code(), ErrorCode::kUsage);
          EXPECT_TRUE(GetParam() == "byte" && length == 4096 && (task->name() == "mrcr_4" || task->name() == "mrcr_8"))
              << error.what();
          break;
        }
      }
    }
  }
}

// Where a unit is large against what may stay empty, single lengths and samples fail.
TEST_P(EveryFill, LengthsBetweenAreFilledToo) {
  const auto tokenizer = open_tokenizer(GetParam());
  for (const char* task : {"cwe", "vt", "fwe"}) {
    SampleRequest request;
    for (request.length = 4096; request.length < 5300; request.length += 29)
      for (request.index = 0; request.index < 4; ++request.index)
        expect_filled(find_task(task)->make_sample(request, *tokenizer), *tokenizer);
    request.length = 4096;
    for (const int64_t index : {135, 195, 279, 913}) {
      request.index = index;
      expect_filled(find_task(task)->make_sample(request, *tokenizer), *tokenizer);
    }
  }
}

// The length that a refusal names is the next one worth trying: one token less is refused, and following it soon works.
TEST_P(EveryFill, ARefusalNamesALengthThatWorks) {
  const auto tokenizer = open_tokenizer(GetParam());
  for (const Task* task : all_tasks()) {
    if (task->group() == "ruler") continue;  // exact there: fixed_test.cc
    SampleRequest request;
    request.length = 100;
    const auto named = [&]() -> int64_t {  // 0: it works
      try {
        task->make_sample(request, *tokenizer);
        return 0;
      } catch (const Error& error) {
        const std::string message = error.what();
        const size_t at = message.find("needs at least ");
        return at == std::string::npos ? -1 : std::stoll(message.substr(at + 15));
      }
    };
    const int64_t first = named();
    ASSERT_GT(first, request.length) << task->name();
    request.length = first - 1;
    EXPECT_GE(named(), first) << task->name();
    int64_t next = first;
    for (int tries = 0; next > 0 && tries < 6; ++tries) request.length = next, next = named();
    EXPECT_EQ(next, 0) << task->name() << " at " << request.length;
    EXPECT_LT(static_cast<double>(request.length), 1.1 * static_cast<double>(first)) << task->name();
  }
}

}  // namespace
}  // namespace sala::tasks
