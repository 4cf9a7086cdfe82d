#include "sim/ops/kernels.h"

#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/gather/gather.h"
#include "sim/ops/norm/norm.h"
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

// A set that somebody adds to the list without tiles, or a device without kernels, must not run as another one.
TEST(Kernels, AnUnknownSetOrDeviceIsRefusedByName) {
  Kernels wide = find_kernels("portable");
  wide.isa = static_cast<Isa>(77), wide.name = "avx4096";
  Buffer<float> x(32), y(32);
  const auto run = [&](const Context& context) { sigmoid_mul(context, x.view(2, 16), y.view(2, 16)); };
  expect_error(ErrorCode::kUnsupported, {"sigmoid_mul", "'cpu'", "'avx4096'"}, [&] { run(on(wide)); });
  expect_error(ErrorCode::kUnsupported, {"norm_tile", "'avx4096'"},
               [&] { rms_norm(on(wide), x.view(2, 16), x.view(16), 0, y.view(2, 16)); });

  class Other final : public Device {
   public:
    const char* name() const override { return "abacus"; }
    void copy(void*, const void*, int64_t, Copy) override {}
    void sync() override {}

   private:
    void* do_allocate(int64_t) override { return nullptr; }
    void do_free(void*) noexcept override {}
  } other;
  const Context best = on();
  expect_error(ErrorCode::kUnsupported, {"sigmoid_mul", "'abacus'"}, [&] {
    run({other, best.kernels, best.numerics, best.workspace, best.pool});
  });
  expect_error(ErrorCode::kUnsupported, {"repeat_rows", "'abacus'"}, [&] {
    repeat_rows({other, best.kernels, best.numerics, best.workspace, best.pool}, std::as_const(x).view(2, 16), 0, 1,
                y.view(2, 16));
  });
  expect_error(ErrorCode::kMemory, {"'abacus'", "64 bytes"}, [&] { Buffer<float>(16, other); });
}

}  // namespace
}  // namespace sala::ops
