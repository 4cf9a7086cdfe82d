#include "sim/ops/rope/rope.h"

#include <random>

#include "sim/ops/exact_math.h"
#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

constexpr double kOneRounding = 0x1p-24;
// Two products and a sum, each rounded, of numbers below 1.
constexpr double kRotation = 3 * 0x1p-24;

struct Shape {
  int64_t T, H, D, first;
};
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{1, 1, 2, 0},    {63, 3, 16, 5},       {64, 2, 32, 1000},   {65, 1, 64, 4095},
                                         {130, 4, 34, 0}, {9, 2, 128, 2097143}, {1, 8, 64, 2097151}, {5, 3, 40, 1 << 20}};
  return all;
}

Buffer<float> run(const Kernels& kernels, const Shape& shape) {
  RopeTable table(static_cast<int>(shape.D), default_inv_freq(static_cast<int>(shape.D), 10000), 1.0f);
  table.prepare(on(kernels), shape.first, shape.T);
  Buffer<float> x = random_values(shape.T * shape.H * shape.D, 1);
  apply_rope(on(kernels), table, x.view(shape.T, shape.H, shape.D));
  return x;
}

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, RopeMatchesRef) {
  for (const Shape& shape : shapes())
    expect_close(run(kernels(), shape), run(ref_kernels(), shape), 2 * kRotation, fmt::format("D {}", shape.D), 1);
}

TEST_P(EveryKernel, RopeHasTheBytesOfPortableForAnyThreadCount) {
  for (const Shape& shape : shapes())
    for (const int threads : {1, 2, 3}) {
      const Buffer<float> want = run(find_kernels("portable"), shape);
      const ThreadCount count(threads);
      expect_same_bytes(run(kernels(), shape), want, fmt::format("D {}", shape.D));
    }
}

// Products and sums rounded one by one, as the reference computes them in float32.
TEST_P(EveryKernel, RopeRoundsEachProduct) {
  const Shape shape{33, 2, 38, 2097000};
  RopeTable table(38, default_inv_freq(38, 10000), 1.0f);
  table.prepare(on(), shape.first, shape.T);
  Buffer<float> want = random_values(shape.T * shape.H * shape.D, 1);
  for (int64_t t = 0; t < shape.T; ++t)
    for (int64_t h = 0; h < shape.H; ++h)
      for (int64_t i = 0; i < 19; ++i) {
        float* x = want.data() + (t * shape.H + h) * shape.D;
        const float a = x[i], b = x[i + 19], c = table.cos(t)[i], s = table.sin(t)[i];
        const volatile float ac = a * c, bs = b * s, bc = b * c, as = a * s;
        x[i] = ac - bs;
        x[i + 19] = bc + as;
      }
  expect_same_bytes(run(kernels(), shape), want, "rotated");
}

TEST_P(EveryKernel, RopeOfStridedHeads) {
  const int64_t T = 4, H = 2, D = 20, stride = 32;
  RopeTable table(20, default_inv_freq(20, 10000), 1.0f);
  table.prepare(on(kernels()), 7, T);
  Buffer<float> dense = random_values(T * H * D, 1), wide(T * H * stride), want(T * H * stride);
  for (int64_t row = 0; row < T * H; ++row) std::copy_n(dense.data() + row * D, D, wide.data() + row * stride);
  apply_rope(on(kernels()), table, dense.view(T, H, D));
  for (int64_t row = 0; row < T * H; ++row) std::copy_n(dense.data() + row * D, D, want.data() + row * stride);
  TensorView<float, 3> view = wide.view(T, H, stride);
  view.extent[2] = D;
  apply_rope(on(kernels()), table, view);
  expect_same_bytes(wide, want, "strided");
}

// Spec 3.2: the float32 product is the angle, also where its rounding error reaches 0.06 rad.
TEST(RopeTable, EqualsTheLibraryNearTwoMillionPositions) {
  const std::vector<float> inv_freq = default_inv_freq(128, 10000);
  RopeTable table(128, inv_freq, 1.0f);
  double largest_error = 0;
  for (const int64_t first : {int64_t{0}, int64_t{65536}, int64_t{1000000}, int64_t{2097152 - 300}}) {
    table.prepare(on(), first, 300);
    for (int64_t t = 0; t < 300; ++t)
      for (size_t i = 0; i < inv_freq.size(); ++i) {
        const volatile float angle = static_cast<float>(first + t) * inv_freq[i];
        const auto exact = static_cast<double>(angle);
        ASSERT_NEAR(table.cos(t)[i], std::cos(exact), kOneRounding) << "position " << first + t << " frequency " << i;
        ASSERT_NEAR(table.sin(t)[i], std::sin(exact), kOneRounding) << "position " << first + t << " frequency " << i;
        largest_error = std::max(largest_error, std::fabs(exact - static_cast<double>(first + t) * inv_freq[i]));
      }
  }
  EXPECT_GT(largest_error, 0.05);  // so the product in double would have been told apart
  EXPECT_LT(largest_error, 0.0626);
}

TEST(RopeTable, APositionHasTheSameBytesInAnyRun) {
  RopeTable whole(64, default_inv_freq(64, 10000), 1.25f), part(64, default_inv_freq(64, 10000), 1.25f);
  whole.prepare(on(), 2000000, 130);
  for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 1}, {1, 64}, {65, 65}, {129, 1}}) {
    part.prepare(on(), 2000000 + first, rows);
    EXPECT_EQ(part.rows(), rows);
    EXPECT_EQ(std::memcmp(part.cos(0), whole.cos(first), static_cast<size_t>(rows) * 64 * sizeof(float)), 0) << first;
  }
}

TEST(RopeTable, FactorScalesCosAndSin) {
  RopeTable plain(8, default_inv_freq(8, 500), 1.0f), scaled(8, default_inv_freq(8, 500), 1.5f);
  plain.prepare(on(), 3, 1);
  scaled.prepare(on(), 3, 1);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_FLOAT_EQ(scaled.cos(0)[i], 1.5f * plain.cos(0)[i]);
    EXPECT_FLOAT_EQ(scaled.sin(0)[i], 1.5f * plain.sin(0)[i]);
  }
  EXPECT_EQ(plain.bytes(), 8 * 4);
}

TEST(DefaultInvFreq, IsARoundedPowerOfTheta) {
  const std::vector<float> inv_freq = default_inv_freq(128, 10000);
  ASSERT_EQ(inv_freq.size(), 64u);
  EXPECT_EQ(inv_freq[0], 1.0f);
  EXPECT_EQ(inv_freq[16], 0.1f);
  EXPECT_EQ(inv_freq[32], 0.01f);
  EXPECT_EQ(inv_freq[48], 0.001f);
  for (size_t i = 0; i < 64; ++i)
    EXPECT_NEAR(inv_freq[i] / std::exp(-static_cast<double>(i) / 64 * std::log(10000.0)), 1, kOneRounding + 1e-14);
}

TEST(ExactMath, AgreesWithTheLibrary) {
  Rng rng(1, "tests/exact_math");
  constexpr double kSinCos = 4e-16, kExp = 2e-15;  // absolute; relative
  for (int i = 0; i < 200000; ++i) {
    const double x = (2 * rng.uniform() - 1) * (i % 2 == 0 ? 0x1p22 : 10);
    const SinCos turn = sin_cos(x);
    ASSERT_NEAR(turn.sin, std::sin(x), kSinCos) << x;
    ASSERT_NEAR(turn.cos, std::cos(x), kSinCos) << x;
    const double y = -700 * rng.uniform();
    ASSERT_NEAR(exp_exact(y) / std::exp(y), 1, kExp) << y;
  }
  EXPECT_EQ(exp_exact(0), 1);
  EXPECT_EQ(exp_exact(-1000), 0);
  EXPECT_EQ(sin_cos(0).sin, 0);
  EXPECT_EQ(sin_cos(0).cos, 1);
}

TEST(Rope, RefTurnsThePairByTheAngle) {
  RopeTable table(4, {1.0f, 0.5f}, 1.0f);
  table.prepare(on(), 2, 1);
  std::vector<float> x = {1, 0, 0, 1};
  apply_rope(on(ref_kernels()), table, make_view(x.data(), 1, 1, 4));
  EXPECT_FLOAT_EQ(x[0], static_cast<float>(std::cos(2.0)));
  EXPECT_FLOAT_EQ(x[2], static_cast<float>(std::sin(2.0)));
  EXPECT_FLOAT_EQ(x[1], static_cast<float>(-std::sin(1.0)));
  EXPECT_FLOAT_EQ(x[3], static_cast<float>(std::cos(1.0)));
}

TEST(Rope, NamesTheSizesThatDisagree) {
  RopeTable table(8, default_inv_freq(8, 10000), 1.0f);
  table.prepare(on(), 0, 3);
  Buffer<float> x(1000);
  const Kernels& best = find_kernels("best");
  expect_error(ErrorCode::kShape, {"apply_rope", "10", "8"}, [&] { apply_rope(on(best), table, x.view(3, 2, 10)); });
  expect_error(ErrorCode::kShape, {"apply_rope", "4 rows", "3"}, [&] { apply_rope(on(best), table, x.view(4, 2, 8)); });
  expect_error(ErrorCode::kShape, {"RopeTable", "3 frequencies", "4"}, [&] { RopeTable(8, {1, 1, 1}, 1.0f); });
  expect_error(ErrorCode::kShape, {"7", "even"}, [&] { default_inv_freq(7, 10000); });
  expect_error(ErrorCode::kShape, {"position", "4194305"}, [&] { table.prepare(on(), 1 << 22, 1); });
  expect_error(ErrorCode::kShape, {"-1"}, [&] { table.prepare(on(), -1, 1); });
}

}  // namespace
}  // namespace sala::ops
