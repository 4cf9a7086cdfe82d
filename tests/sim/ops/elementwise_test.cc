#include "sim/ops/elementwise/elementwise.h"

#include <bit>
#include <functional>
#include <limits>

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

// exp within 2 ulp, an addition, a division and a multiplication: 4 roundings of at most 2 ulp of 2^-23 each.
constexpr double kGate = 8 * 0x1p-23;
constexpr double kOneRounding = 0x1p-24;  // relative; kernel and ref round the exact value once

const std::vector<std::pair<int64_t, int64_t>>& shapes() {
  static const std::vector<std::pair<int64_t, int64_t>> all = {{1, 1},   {1, 64},  {3, 15},    {63, 16},
                                                               {64, 17}, {65, 33}, {130, 208}, {2, 20000}};
  return all;
}

// A step on (gate or h, up or a, out): out starts as random numbers.
using Step = std::function<void(const Context&, TensorView<float, 2> a, TensorView<float, 2> b, TensorView<float, 2> out)>;
struct NamedStep {
  const char* name;
  double tolerance;
  Step run;
};
const std::vector<NamedStep>& steps() {
  static const std::vector<NamedStep> all = {
      {"sigmoid_mul", kGate, [](const Context& k, auto a, auto, auto out) { sigmoid_mul(k, a, out); }},
      {"silu_mul", kGate, [](const Context& k, auto a, auto b, auto out) { silu_mul(k, a, b, out); }},
      {"add_scaled", kOneRounding, [](const Context& k, auto a, auto, auto out) { add_scaled(k, out, a, 0.24748737f); }},
      {"scale", kOneRounding, [](const Context& k, auto, auto, auto out) { scale(k, 0.1767767f, out); }},
      {"scale_by_log", kOneRounding, [](const Context& k, auto, auto, auto out) { scale_by_log(k, 362, 5, out); }},
      {"divide", kOneRounding, [](const Context& k, auto, auto, auto out) { divide(k, 17.3f, out); }},
      {"round_bf16", 0, [](const Context& k, auto, auto, auto out) { round_bf16(k, out); }},
  };
  return all;
}

Buffer<float> run(const Step& step, const Context& context, int64_t T, int64_t N) {
  Buffer<float> a = random_values(T * N, 1), b = random_values(T * N, 2), out = random_values(T * N, 3);
  for (int64_t i = 0; i < a.size(); ++i) a[i] *= 20;  // gates far into both ends
  step(context, a.view(T, N), b.view(T, N), out.view(T, N));
  return out;
}

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, EachStepMatchesRefElementByElement) {
  for (const NamedStep& step : steps())
    for (const auto& [T, N] : shapes()) {
      const Buffer<float> got = run(step.run, on(kernels()), T, N), want = run(step.run, on(ref_kernels()), T, N);
      for (int64_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], 2 * step.tolerance * std::fabs(want[i]))
            << step.name << " " << T << " x " << N << " at " << i;
    }
}

TEST_P(EveryKernel, EachStepHasTheBytesOfPortableForAnyThreadCount) {
  for (const NamedStep& step : steps())
    for (const auto& [T, N] : shapes()) {
      const Buffer<float> want = run(step.run, on(find_kernels("portable")), T, N);
      for (const int threads : {1, 2, 3}) {
        const ThreadCount count(threads);
        expect_same_bytes(run(step.run, on(kernels()), T, N), want, step.name);
      }
    }
}

TEST_P(EveryKernel, InTheBf16ClassEveryStepIsRounded) {
  constexpr double kStep = 0x1p-7;  // relative size of a bfloat16; a value near a tie may round the other way
  for (const NamedStep& step : steps())
    for (const auto& [T, N] : shapes()) {
      const Buffer<float> got = run(step.run, on(kernels(), Numerics::kBf16), T, N);
      const Buffer<float> want = run(step.run, on(ref_kernels(), Numerics::kBf16), T, N);
      int64_t different = 0;
      for (int64_t i = 0; i < want.size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(got[i]) & 0xffff, 0u) << step.name << " at " << i;
        ASSERT_NEAR(got[i], want[i], 2 * kStep * std::fabs(want[i])) << step.name << " at " << i;
        different += got[i] != want[i];
      }
      EXPECT_LE(different, want.size() / 100) << step.name << ": only values near a tie may differ";
    }
}

// 1 / (1 + exp(0)) is 0.5; 3 * 1.0078125 has too many bits and 1.0078125 / 3 too.
TEST_P(EveryKernel, Bf16RoundsBetweenTheSteps) {
  for (const Kernels& each : {kernels(), ref_kernels()}) {
    const Context bf16 = on(each, Numerics::kBf16);
    Buffer<float> h = copy_of(std::vector<float>{1}), a = copy_of(std::vector<float>{1.0078125f});
    add_scaled(bf16, make_view(h.data(), 1, 1), make_view(a.data(), 1, 1), 3);  // 3.0234375 -> 3.03125 -> 4.03125
    EXPECT_EQ(h[0], 4.03125f) << each.name;
    divide(bf16, 3, make_view(a.data(), 1, 1));
    EXPECT_EQ(a[0], 0.3359375f) << each.name;
  }
}

TEST_P(EveryKernel, SiluMulMayOverwriteEitherInput) {
  const int64_t T = 5, N = 37;
  const Buffer<float> gate = random_values(T * N, 4), up = random_values(T * N, 5);
  Buffer<float> apart(T * N), over_gate = copy_of(gate), over_up = copy_of(up);
  silu_mul(on(kernels()), gate.view(T, N), up.view(T, N), apart.view(T, N));
  silu_mul(on(kernels()), over_gate.view(T, N), up.view(T, N), over_gate.view(T, N));
  silu_mul(on(kernels()), gate.view(T, N), over_up.view(T, N), over_up.view(T, N));
  expect_same_bytes(over_gate, apart, "out is gate");
  expect_same_bytes(over_up, apart, "out is up");
}

TEST_P(EveryKernel, OnlyTheRowsOfAStridedViewChange) {
  const int64_t T = 3, N = 18, stride = 25;
  for (const NamedStep& step : steps()) {
    Buffer<float> a = random_values(T * stride, 6), b = random_values(T * stride, 7), out = random_values(T * stride, 8);
    const Buffer<float> before = copy_of(out);
    const auto rows = [&](Buffer<float>& buffer) {
      TensorView<float, 2> view = buffer.view(T, N);
      view.stride[0] = stride;
      return view;
    };
    step.run(on(kernels()), rows(a), rows(b), rows(out));
    for (int64_t t = 0; t < T; ++t)
      for (int64_t n = N; n < stride; ++n) ASSERT_EQ(out[t * stride + n], before[t * stride + n]) << step.name;
  }
}

TEST_P(EveryKernel, GatesReachTheirLimits) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Buffer<float> gate = copy_of(std::vector<float>{0, 100, -100, infinity, -infinity, 1000, -1000, NAN});
  const Buffer<float> up = copy_of(std::vector<float>(8, 3.0f));
  Buffer<float> x = copy_of(up), out(8);
  sigmoid_mul(on(kernels()), make_view(gate.data(), 1, 8), make_view(x.data(), 1, 8));
  EXPECT_EQ(std::vector<float>(x.data(), x.data() + 7), (std::vector<float>{1.5f, 3, 0, 3, 0, 3, 0}));
  EXPECT_TRUE(std::isnan(x[7]));
  silu_mul(on(kernels()), make_view(gate.data(), 1, 8), make_view(up.data(), 1, 8), make_view(out.data(), 1, 8));
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 300);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(out[5], 3000);
  EXPECT_EQ(out[6], 0);
  EXPECT_TRUE(std::isnan(out[7]));
}

TEST_P(EveryKernel, RoundBf16TiesToEven) {
  const float step = 0x1p-7f;  // of bfloat16 in [1, 2)
  const std::vector<float> from = {1 + step / 2,
                                   1 + 3 * step / 2,
                                   1 + step / 2 + 0x1p-20f,
                                   -1 - 3 * step / 2,
                                   0.0f,
                                   -0.0f,
                                   std::numeric_limits<float>::infinity(),
                                   3.4e38f,
                                   0x1.8p-133f,
                                   NAN};
  Buffer<float> x = copy_of(from);
  round_bf16(on(kernels()), x.view(1, x.size()));
  EXPECT_EQ(x[0], 1.0f);
  EXPECT_EQ(x[1], 1 + 2 * step);
  EXPECT_EQ(x[2], 1 + step);
  EXPECT_EQ(x[3], -1 - 2 * step);
  EXPECT_TRUE(x[4] == 0 && !std::signbit(x[4]));
  EXPECT_TRUE(x[5] == 0 && std::signbit(x[5]));
  EXPECT_TRUE(std::isinf(x[6]));
  EXPECT_TRUE(std::isinf(x[7]));  // above the largest bfloat16 by more than half a step
  EXPECT_EQ(x[8], 0x1p-132f);     // a tie between subnormals
  EXPECT_TRUE(std::isnan(x[9]));
}

TEST(Elementwise, RefValues) {
  std::vector<float> gate = {0, 1}, x = {4, 4}, out(2);
  sigmoid_mul(on(ref_kernels()), make_view(gate.data(), 1, 2), make_view(x.data(), 1, 2));
  EXPECT_FLOAT_EQ(x[0], 2);
  EXPECT_FLOAT_EQ(x[1], 4 * 0.7310585786f);
  silu_mul(on(ref_kernels()), make_view(gate.data(), 1, 2), make_view(x.data(), 1, 2), make_view(out.data(), 1, 2));
  EXPECT_EQ(out[0], 0);
  EXPECT_FLOAT_EQ(out[1], 0.7310585786f * 4 * 0.7310585786f);
}

TEST_P(EveryKernel, MarksWhatIsNotFinite) {
  const int64_t T = 37, N = 45;
  for (const Kernels& chosen : {kernels(), ref_kernels()})
    for (const float value : {NAN, INFINITY, -INFINITY, 3e38f})
      for (const int64_t at : {int64_t{0}, 17 * N + 44, T * N - 1}) {
        Buffer<float> x = random_values(T * N, 8);
        Buffer<int32_t> found(1);
        found[0] = 9;
        x[at] = value;
        mark_nonfinite(on(chosen), x.view(T, N), 12, found.view(1));
        EXPECT_EQ(found[0], 9) << "what came first stays";
        mark_nonfinite(on(chosen), x.view(T, N), 4, found.view(1));
        EXPECT_EQ(found[0], value == 3e38f ? 9 : 4) << value << " at " << at;
      }
}

TEST(Elementwise, ScaleByLogIsHypeNetsFactorAtThePosition) {
  Buffer<float> x(3);
  for (int64_t t = 0; t < 3; ++t) x[t] = 1;
  scale_by_log(on(find_kernels("best")), 2, 6, x.view(3, 1));
  EXPECT_EQ(x[0], 3.0f);  // ln(6 + 2) / ln(2)
  EXPECT_EQ(x[1], static_cast<float>(std::log(9.0) / std::log(2.0)));
  EXPECT_EQ(x[2], static_cast<float>(std::log(10.0) / std::log(2.0)));
}

TEST(Elementwise, NamesTheSizesThatDisagree) {
  Buffer<float> a(100), b(100);
  const Kernels& best = find_kernels("best");
  expect_error(ErrorCode::kShape, {"sigmoid_mul", "[2, 3]", "[2, 4]"},
               [&] { sigmoid_mul(on(best), a.view(2, 3), b.view(2, 4)); });
  expect_error(ErrorCode::kShape, {"silu_mul", "up", "[5, 4]", "[2, 4]"},
               [&] { silu_mul(on(best), a.view(2, 4), a.view(5, 4), b.view(2, 4)); });
  expect_error(ErrorCode::kConfig, {"scale_by_log", "a is 1"}, [&] { scale_by_log(on(best), 1, 0, b.view(3, 2)); });
  expect_error(ErrorCode::kConfig, {"position -1"}, [&] { scale_by_log(on(best), 2, -1, b.view(3, 2)); });
  expect_error(ErrorCode::kShape, {"add_scaled", "[1, 3]", "[2, 3]"},
               [&] { add_scaled(on(best), b.view(2, 3), a.view(1, 3), 1.0f); });
}

}  // namespace
}  // namespace sala::ops
