#include "sim/ops/linear/linear.h"

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

struct Shape {
  int64_t T, N, K;
  std::string text() const { return fmt::format("T {} N {} K {}", T, N, K); }
};

// Around the sizes of panels (16), register tiles, passes over k (256) and row tiles (112).
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{1, 1, 1},     {1, 130, 33},  {2, 7, 5},     {3, 16, 16},   {7, 31, 64},
                                         {15, 33, 257}, {63, 17, 65},  {64, 32, 31},  {65, 48, 130}, {111, 5, 9},
                                         {130, 65, 63}, {225, 15, 12}, {29, 257, 20}, {4, 40, 513}};
  return all;
}

struct Problem {
  explicit Problem(const Shape& shape)
      : x(random_values(shape.T * shape.K, 1)), w(random_values(shape.N * shape.K, 2)), T(shape.T), N(shape.N), K(shape.K) {}
  Buffer<float> run(const Kernels& kernels) const {
    Buffer<float> y(T * N);
    linear(on(kernels), x.view(T, K), PackedMatrix(on(kernels), w.view(N, K)), y.view(T, N));
    return y;
  }
  Buffer<float> x, w;
  int64_t T, N, K;
};

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, LinearMatchesRefWithinTheBoundOfASum) {
  for (const Shape& shape : shapes()) {
    const Problem problem(shape);
    const Buffer<float> got = problem.run(kernels()), want = problem.run(ref_kernels());
    for (int64_t t = 0; t < shape.T; ++t)
      for (int64_t n = 0; n < shape.N; ++n) {
        double magnitude = 0;
        for (int64_t k = 0; k < shape.K; ++k)
          magnitude += std::fabs(static_cast<double>(problem.x[t * shape.K + k]) * problem.w[n * shape.K + k]);
        // K roundings of partial sums that never exceed the sum of magnitudes, one more of ref's result.
        const double bound = static_cast<double>(shape.K + 1) * 0x1p-24 * magnitude;
        ASSERT_NEAR(got[t * shape.N + n], want[t * shape.N + n], bound) << shape.text() << " t " << t << " n " << n;
      }
  }
}

TEST_P(EveryKernel, LinearIsOneFusedChainOverAscendingK) {
  for (const Shape& shape : shapes()) {
    const Problem problem(shape);
    Buffer<float> want(shape.T * shape.N);
    for (int64_t t = 0; t < shape.T; ++t)
      for (int64_t n = 0; n < shape.N; ++n)
        for (int64_t k = 0; k < shape.K; ++k)
          want[t * shape.N + n] = std::fma(problem.x[t * shape.K + k], problem.w[n * shape.K + k], want[t * shape.N + n]);
    expect_same_bytes(problem.run(kernels()), want, shape.text());
  }
}

TEST_P(EveryKernel, LinearHasTheSameBytesForAnyThreadCountAndSplitOfRows) {
  const Problem problem({130, 300, 70});
  const PackedMatrix weight(on(kernels()), problem.w.view(problem.N, problem.K));
  const Buffer<float> whole = problem.run(kernels());
  for (const int threads : {1, 2, 3}) {
    const ThreadCount count(threads);
    expect_same_bytes(problem.run(kernels()), whole, fmt::format("{} threads", threads));
  }
  for (const int64_t step : {1, 5, 64}) {
    Buffer<float> y(problem.T * problem.N);
    for (int64_t t = 0; t < problem.T; t += step) {
      const int64_t end = std::min(problem.T, t + step);
      linear(on(kernels()), problem.x.view(problem.T, problem.K).slice(t, end), weight,
             y.view(problem.T, problem.N).slice(t, end));
    }
    expect_same_bytes(y, whole, fmt::format("{} rows a call", step));
  }
}

TEST_P(EveryKernel, LinearReadsAndWritesOnlyTheRowsOfStridedViews) {
  const Problem problem({33, 37, 21});
  const int64_t x_stride = 30, y_stride = 50;
  Buffer<float> x(problem.T * x_stride), y(problem.T * y_stride), want(problem.T * y_stride);
  for (int64_t i = 0; i < x.size(); ++i) x[i] = NAN;
  for (int64_t i = 0; i < y.size(); ++i) y[i] = want[i] = 7;
  const Buffer<float> dense = problem.run(kernels());
  for (int64_t t = 0; t < problem.T; ++t) {
    std::copy_n(problem.x.data() + t * problem.K, problem.K, x.data() + t * x_stride);
    std::copy_n(dense.data() + t * problem.N, problem.N, want.data() + t * y_stride);
  }
  TensorView<float, 2> x_view = x.view(problem.T, problem.K), y_view = y.view(problem.T, problem.N);
  x_view.stride[0] = x_stride;
  y_view.stride[0] = y_stride;
  linear(on(kernels()), x_view, PackedMatrix(on(kernels()), problem.w.view(problem.N, problem.K)), y_view);
  expect_same_bytes(y, want, "strided");
}

TEST_P(EveryKernel, LinearOfNothing) {
  Buffer<float> y(6);
  for (int64_t i = 0; i < y.size(); ++i) y[i] = 5;
  linear(on(kernels()), make_view<const float>(nullptr, 0, 4), PackedMatrix(on(kernels()), random_values(12, 1).view(3, 4)),
         y.view(0, 3));
  EXPECT_EQ(y[0], 5);
  linear(on(kernels()), make_view<const float>(nullptr, 2, 0),
         PackedMatrix(on(kernels()), make_view<const float>(nullptr, 3, 0)), y.view(2, 3));
  expect_same_bytes(y, Buffer<float>(6), "an empty sum is zero");
}

TEST(Linear, RefIsTheMatrixProduct) {
  const std::vector<float> x = {1, 2, 3, 0.5, -1, 4}, w = {1, 0, -1, 2, 0.25, 8};
  std::vector<float> y(4);
  linear(on(ref_kernels()), make_view(x.data(), 2, 3), PackedMatrix(on(), make_view(w.data(), 2, 3)),
         make_view(y.data(), 2, 2));
  EXPECT_EQ(y, (std::vector<float>{-2, 26.5, -3.5, 32.75}));
}

TEST(PackedMatrix, HoldsWholePanels) {
  const Buffer<float> w = random_values(33 * 5, 3);
  const PackedMatrix packed(on(), w.view(33, 5));
  EXPECT_EQ(packed.bytes(), 48 * 5 * 4);
  EXPECT_EQ(PackedMatrix().bytes(), 0);
  for (int64_t n = 0; n < 33; ++n)
    for (int64_t k = 0; k < 5; ++k) EXPECT_EQ(packed.at(n, k), w[n * 5 + k]);
  for (int64_t k = 0; k < 5; ++k) EXPECT_EQ(packed.at(47, k), 0);
}

TEST(Linear, NamesTheSizesThatDisagree) {
  const Buffer<float> w = random_values(12, 1);
  const PackedMatrix weight(on(), w.view(3, 4));
  Buffer<float> x(100), y(100);
  const Kernels& best = find_kernels("best");
  const auto call = [&](int64_t rows, int64_t K, int64_t y_rows, int64_t N) {
    return [&, rows, K, y_rows, N] { linear(on(best), x.view(rows, K), weight, y.view(y_rows, N)); };
  };
  expect_error(ErrorCode::kShape, {"linear", "5 columns", "4"}, call(2, 5, 2, 3));
  expect_error(ErrorCode::kShape, {"linear", "9 rows", "2"}, call(2, 4, 9, 3));
  expect_error(ErrorCode::kShape, {"linear", "6 columns", "3 rows"}, call(2, 4, 2, 6));
  TensorView<const float, 2> overlapping = w.view(3, 4);
  overlapping.stride[0] = 2;
  expect_error(ErrorCode::kShape, {"PackedMatrix", "4", "2"}, [&] { PackedMatrix(on(), overlapping); });
}

}  // namespace
}  // namespace sala::ops
