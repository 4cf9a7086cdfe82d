#include "sim/ops/kernels.h"

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

TEST(Kernels, RefComesFirstAndBestIsTheLastThatRuns) {
  const std::vector<Kernels> available = available_kernels();
  ASSERT_GE(available.size(), 2u);
  EXPECT_STREQ(available[0].name, "ref");
  EXPECT_STREQ(available[1].name, "portable");
  EXPECT_STREQ(find_kernels("best").name, available.back().name);
  for (const Kernels& kernels : available) EXPECT_EQ(find_kernels(kernels.name).isa, kernels.isa);
}

TEST(Kernels, UnknownNameListsTheNames) {
  expect_error(ErrorCode::kUsage, {"'abacus'", "best", "ref", "portable"}, [] { find_kernels("abacus"); });
}

}  // namespace
}  // namespace sala::ops
