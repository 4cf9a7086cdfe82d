#include <gtest/gtest.h>

#include "tests/tasks/mrcr/synth_check.h"

namespace sala::tasks {
namespace {

TEST(MrcrSlow, LongSamplesAreSound) {
  const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  for (int64_t needles : {2, 4, 8}) {
    for (int64_t length : {131072, 1000000, 2097152}) {
      SampleRequest request;
      request.length = length;
      request.index = needles + 1;
      expect_sound(make_mrcr_conversation(needles, request, *tokenizer), needles, request, *tokenizer, 0);
    }
  }
}

}  // namespace
}  // namespace sala::tasks
