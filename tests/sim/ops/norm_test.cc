#include "sim/ops/norm/norm.h"

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

constexpr float kEps = 1e-6f;
// The sum of squares: N / 16 + 4 additions of positive numbers, halved by the root; four more roundings. Relative, per
// element.
double tolerance(int64_t N) { return (static_cast<double>(N) / 32 + 8) * 0x1p-24; }
constexpr double kBf16Step = 0x1p-7;  // relative size of a step; a value near a tie may round the other way, twice

const std::vector<std::pair<int64_t, int64_t>>& shapes() {
  static const std::vector<std::pair<int64_t, int64_t>> all = {{1, 1},   {1, 512},  {63, 16},  {64, 17},
                                                               {65, 64}, {130, 40}, {5, 4096}, {7, 130}};
  return all;
}

Buffer<float> run(const Kernels& kernels, int64_t T, int64_t N, bool bf16) {
  const Buffer<float> x = random_values(T * N, 1), w = random_values(N, 2);
  Buffer<float> y(T * N);
  rms_norm(on(kernels, numerics_of(bf16)), x.view(T, N), w.view(N), kEps, y.view(T, N));
  return y;
}

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, NormMatchesRef) {
  for (const auto& [T, N] : shapes())
    for (const bool bf16 : {false, true}) {
      const Buffer<float> got = run(kernels(), T, N, bf16), want = run(ref_kernels(), T, N, bf16);
      const double allowed = bf16 ? 2 * kBf16Step : tolerance(N);
      int64_t different = 0;
      for (int64_t i = 0; i < want.size(); ++i) {
        ASSERT_NEAR(got[i], want[i], allowed * std::fabs(want[i])) << T << " x " << N << " at " << i;
        different += got[i] != want[i];
      }
      if (bf16) {
        EXPECT_LE(different, want.size() / 100) << "only values near a tie may differ";
      }
    }
}

TEST_P(EveryKernel, NormHasTheBytesOfPortableForAnyThreadCountAndSplit) {
  for (const auto& [T, N] : shapes())
    for (const bool bf16 : {false, true}) {
      const Buffer<float> want = run(find_kernels("portable"), T, N, bf16);
      for (const int threads : {1, 2, 3}) {
        const ThreadCount count(threads);
        expect_same_bytes(run(kernels(), T, N, bf16), want, fmt::format("{} x {}, {} threads", T, N, threads));
      }
      const Buffer<float> x = random_values(T * N, 1), w = random_values(N, 2);
      Buffer<float> y(T * N);
      for (int64_t t = 0; t < T; ++t)
        rms_norm(on(kernels(), numerics_of(bf16)), x.view(T, N).slice(t, t + 1), w.view(N), kEps,
                 y.view(T, N).slice(t, t + 1));
      expect_same_bytes(y, want, "row by row");
    }
}

TEST_P(EveryKernel, NormInPlaceAndStrided) {
  const int64_t T = 9, N = 50, stride = 60;
  const Buffer<float> dense = run(kernels(), T, N, false), w = random_values(N, 2), x = random_values(T * N, 1);
  Buffer<float> wide(T * stride), want(T * stride);
  for (int64_t i = 0; i < wide.size(); ++i) wide[i] = want[i] = 3;
  for (int64_t t = 0; t < T; ++t) {
    std::copy_n(x.data() + t * N, N, wide.data() + t * stride);
    std::copy_n(dense.data() + t * N, N, want.data() + t * stride);
  }
  TensorView<float, 2> view = wide.view(T, N);
  view.stride[0] = stride;
  rms_norm(on(kernels()), view, w.view(N), kEps, view);
  expect_same_bytes(wide, want, "in place");
}

TEST_P(EveryKernel, Bf16ResultsAreBf16) {
  const Buffer<float> y = run(kernels(), 65, 64, true);
  for (int64_t i = 0; i < y.size(); ++i) ASSERT_EQ(std::bit_cast<uint32_t>(y[i]) & 0xffff, 0u) << y[i];
}

// Spec section 2: eps inside the root, weight as it is.
TEST(Norm, RefValues) {
  const std::vector<float> x = {3, 4, 0, 0}, w = {1, 2, 1, 1};
  std::vector<float> y(4);
  rms_norm(on(ref_kernels()), make_view(x.data(), 1, 4), make_view(w.data(), 4), 0.75f, make_view(y.data(), 1, 4));
  const double root = std::sqrt(25.0 / 4 + 0.75);
  EXPECT_FLOAT_EQ(y[0], static_cast<float>(3 / root));
  EXPECT_FLOAT_EQ(y[1], static_cast<float>(8 / root));
  EXPECT_EQ(y[2], 0);
}

// Computed by hand in Python. With one rounding at the end the values would be 0.435546875, 0.87109375, 1.3125, 1.7421875.
TEST_P(EveryKernel, Bf16RoundsBeforeAndAfterTheWeight) {
  const Buffer<float> x = copy_of(std::vector<float>{1, 2, 3, 4}), w = copy_of(std::vector<float>(4, 1.1953125f));
  Buffer<float> y(4);
  for (const Kernels& each : {kernels(), ref_kernels()}) {
    rms_norm(on(each, Numerics::kBf16), x.view(1, 4), w.view(4), 0.0f, y.view(1, 4));
    expect_same_bytes(y, copy_of(std::vector<float>{0.4375f, 0.875f, 1.3046875f, 1.75f}), each.name);
  }
}

// 0 would be a wrong answer without a word.
TEST_P(EveryKernel, SquaresThatOverflowGiveNaN) {
  for (const int64_t N : {1, 16, 45}) {
    Buffer<float> x = random_values(5 * N, 1), y(5 * N);
    const Buffer<float> w = random_values(N, 2);
    x[2 * N] = 1e20f;
    rms_norm(on(kernels()), x.view(5, N), w.view(N), 0, y.view(5, N));
    for (int64_t i = 0; i < 5 * N; ++i) ASSERT_EQ(std::isnan(y[i]), i / N == 2) << "element " << i << " of " << N;
  }
}

TEST(Norm, NamesTheSizesThatDisagree) {
  Buffer<float> x(100), y(100), w(100);
  const Kernels& best = find_kernels("best");
  expect_error(ErrorCode::kShape, {"rms_norm", "7 elements", "8 columns"},
               [&] { rms_norm(on(best), x.view(2, 8), w.view(7), kEps, y.view(2, 8)); });
  expect_error(ErrorCode::kShape, {"rms_norm", "[3, 8]", "[2, 8]"},
               [&] { rms_norm(on(best), x.view(2, 8), w.view(8), kEps, y.view(3, 8)); });
}

}  // namespace
}  // namespace sala::ops
