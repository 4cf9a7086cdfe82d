#include "sim/ops/lightning/lightning.h"

#include <functional>
#include <limits>

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

constexpr int64_t kChunk = LightningState::kChunk;

struct Shape {
  int64_t T, H, D, Dv;
  std::string text() const { return fmt::format("T {} H {} D {} Dv {}", T, H, D, Dv); }
};
// Around a chunk (64), a vector (16) and a register tile of rows; key and value dimensions that differ.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{1, 1, 1, 1},     {1, 8, 32, 32},    {63, 2, 16, 16},
                                         {64, 3, 32, 32},  {65, 2, 5, 24},    {130, 1, 64, 7},
                                         {257, 2, 33, 48}, {130, 1, 128, 64}, {77, 2, 24, 130}};
  return all;
}

// Slopes of the released rule, none, a fast one and one whose decays underflow.
std::vector<float> some_slopes(int64_t H) {
  const std::vector<float> all = {0.0625f, 0.0f, 2.0f, 0.8408964f, 1.0f / 256, 30.0f, 0.25f, 0.5f};
  return {all.begin(), all.begin() + H};
}

struct Problem {
  explicit Problem(const Shape& size)
      : shape(size),
        q(random_values(size.T * size.H * size.D, 1)),
        k(random_values(size.T * size.H * size.D, 2)),
        v(random_values(size.T * size.H * size.Dv, 3)),
        slopes(some_slopes(size.H)) {}
  TensorView<const float, 3> keys(const Buffer<float>& x) const { return x.view(shape.T, shape.H, shape.D); }
  TensorView<const float, 3> values(const Buffer<float>& x) const { return x.view(shape.T, shape.H, shape.Dv); }
  LightningState new_state() const { return {shape.H, shape.D, shape.Dv, memory()}; }
  // Rows [begin, end) through the op.
  void feed(const Kernels& kernels, int64_t begin, int64_t end, LightningState& state, Buffer<float>& o) const {
    lightning(on(kernels), keys(q).slice(begin, end), keys(k).slice(begin, end), values(v).slice(begin, end), slopes, scale,
              state, o.view(shape.T, shape.H, shape.Dv).slice(begin, end));
  }
  Buffer<float> run(const Kernels& kernels) const {
    LightningState state = new_state();
    return run(kernels, state);
  }
  Buffer<float> run(const Kernels& kernels, LightningState& state) const {
    Buffer<float> o(shape.T * shape.H * shape.Dv);
    feed(kernels, 0, shape.T, state, o);
    return o;
  }

  Shape shape;
  Buffer<float> q, k, v;
  std::vector<float> slopes;
  float scale = 0.17677669f;
};

Buffer<float> sums_of(const LightningState& state) {
  const int64_t size = state.key_dim() * state.value_dim();
  Buffer<float> sums(state.heads() * size);
  for (int64_t h = 0; h < state.heads(); ++h) std::copy_n(state.sum(h).data, size, sums.data() + h * size);
  return sums;
}

// The equations of the header, one element after the other.
Buffer<float> by_the_equations(const Problem& problem) {
  const int64_t T = problem.shape.T, H = problem.shape.H, D = problem.shape.D, Dv = problem.shape.Dv;
  Buffer<float> o(T * H * Dv);
  for (int64_t h = 0; h < H; ++h) {
    std::vector<float> S(static_cast<size_t>(D * Dv)), decay;
    for (int64_t i = 0; i <= kChunk; ++i)
      decay.push_back(static_cast<float>(
          std::exp(-static_cast<double>(problem.slopes[static_cast<size_t>(h)]) * static_cast<double>(i))));
    const auto at = [&](const Buffer<float>& x, int64_t t, int64_t d, int64_t width) { return x[(t * H + h) * width + d]; };
    for (int64_t start = 0; start < T; start += kChunk) {
      const int64_t count = std::min(kChunk, T - start);
      for (int64_t i = 0; i < count; ++i) {
        std::vector<float> score(static_cast<size_t>(i + 1));
        for (int64_t j = 0; j <= i; ++j) {
          float& sum = score[static_cast<size_t>(j)];
          for (int64_t d = 0; d < D; ++d)
            sum = std::fma(at(problem.q, start + i, d, D), at(problem.k, start + j, d, D), sum);
          sum *= decay[static_cast<size_t>(i - j)];
        }
        for (int64_t e = 0; e < Dv; ++e) {
          float sum = 0;
          for (int64_t d = 0; d < D; ++d)
            sum = std::fma(at(problem.q, start + i, d, D), S[static_cast<size_t>(d * Dv + e)], sum);
          sum *= decay[static_cast<size_t>(i + 1)];
          for (int64_t j = 0; j <= i; ++j)
            sum = std::fma(score[static_cast<size_t>(j)], at(problem.v, start + j, e, Dv), sum);
          o[((start + i) * H + h) * Dv + e] = sum * problem.scale;
        }
      }
      if (count < kChunk) continue;
      for (int64_t d = 0; d < D; ++d)
        for (int64_t e = 0; e < Dv; ++e) {
          float& s = S[static_cast<size_t>(d * Dv + e)];
          s *= decay[kChunk];
          for (int64_t j = 0; j < kChunk; ++j) {
            const float key = at(problem.k, start + j, d, D) * decay[static_cast<size_t>(kChunk - 1 - j)];
            s = std::fma(key, at(problem.v, start + j, e, Dv), s);
          }
        }
    }
  }
  return o;
}

// The recurrence of spec 3.4 without any rounding but double's.
Buffer<float> recurrence(const Problem& problem) {
  const int64_t T = problem.shape.T, H = problem.shape.H, D = problem.shape.D, Dv = problem.shape.Dv;
  Buffer<float> o(T * H * Dv);
  for (int64_t h = 0; h < H; ++h) {
    const double decay = std::exp(-static_cast<double>(problem.slopes[static_cast<size_t>(h)]));
    std::vector<double> S(static_cast<size_t>(D * Dv)), row(static_cast<size_t>(Dv));
    for (int64_t t = 0; t < T; ++t) {
      std::fill(row.begin(), row.end(), 0.0);
      for (int64_t d = 0; d < D; ++d)
        for (int64_t e = 0; e < Dv; ++e) {
          double& s = S[static_cast<size_t>(d * Dv + e)];
          s = decay * s + static_cast<double>(problem.k[(t * H + h) * D + d]) * problem.v[(t * H + h) * Dv + e];
          row[static_cast<size_t>(e)] += problem.q[(t * H + h) * D + d] * s;
        }
      for (int64_t e = 0; e < Dv; ++e)
        o[(t * H + h) * Dv + e] = static_cast<float>(problem.scale * row[static_cast<size_t>(e)]);
    }
  }
  return o;
}

// Largest error that rounding can cause: every product passes at most D + 64 additions in its own chunk and 65 roundings in
// each chunk after it, and six more (decays, scale, result); each is at most 2^-24 of the sum of magnitudes, which is the op
// on |q|, |k|, |v|.
void expect_within_rounding(const Problem& problem, const Buffer<float>& got, const Buffer<float>& want) {
  Problem magnitudes(problem.shape);
  for (Buffer<float>* x : {&magnitudes.q, &magnitudes.k, &magnitudes.v})
    for (int64_t i = 0; i < x->size(); ++i) (*x)[i] = std::fabs((*x)[i]);
  const Buffer<float> sum = recurrence(magnitudes);
  const double roundings = static_cast<double>(problem.shape.D + kChunk + 65 * (problem.shape.T / kChunk) + 6);
  for (int64_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(got[i], want[i], roundings * 0x1p-24 * sum[i] + std::numeric_limits<float>::min())
        << problem.shape.text() << " element " << i;
}

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, LightningIsTheChunkedFormToTheBit) {
  for (const Shape& shape : shapes()) {
    const Problem problem(shape);
    expect_same_bytes(problem.run(kernels()), by_the_equations(problem), shape.text());
  }
}

TEST_P(EveryKernel, LightningMatchesRef) {
  for (const Shape& shape : shapes()) {
    const Problem problem(shape);
    LightningState state = problem.new_state(), ref_state = problem.new_state();
    const Buffer<float> want = problem.run(ref_kernels(), ref_state);
    expect_within_rounding(problem, problem.run(kernels(), state), want);
    expect_close(sums_of(state), sums_of(ref_state), 1e-5, shape.text(), 1);
  }
}

// Spec 11, vector 2: lengths in use, the slowest released decay, no decay at all.
TEST_P(EveryKernel, LightningEqualsTheRecurrenceOverThousandsOfTokens) {
  for (const float slope : {1.0f / 256, 0.0f, 1e-4f}) {
    Problem problem({4200, 1, 16, 16});
    problem.slopes = {slope};
    const Buffer<float> want = recurrence(problem), got = problem.run(kernels());
    expect_close(got, want, 1e-5, fmt::format("slope {}", slope));
    expect_within_rounding(problem, got, want);
  }
}

TEST_P(EveryKernel, LightningHasTheBytesOfPortableForAnyThreadCount) {
  for (const Shape& shape : {Shape{130, 3, 34, 40}, Shape{300, 8, 32, 32}}) {
    const Problem problem(shape);
    LightningState portable = problem.new_state();
    const Buffer<float> want = problem.run(find_kernels("portable"), portable);
    for (const int threads : {1, 2, 3}) {
      const ThreadCount count(threads);
      LightningState state = problem.new_state();
      expect_same_bytes(problem.run(kernels(), state), want, fmt::format("{} threads", threads));
      expect_same_bytes(sums_of(state), sums_of(portable), "state");
    }
  }
}

TEST_P(EveryKernel, LightningHasTheSameBytesForAnySplit) {
  for (const Shape& shape : {Shape{330, 2, 33, 24}, Shape{200, 3, 32, 32}}) {
    const Problem problem(shape);
    LightningState whole_state = problem.new_state();
    const Buffer<float> whole = problem.run(kernels(), whole_state);
    for (const int64_t step : {1, 5, 16, 63, 64, 65, 100}) {
      LightningState state = problem.new_state();
      Buffer<float> o(whole.size());
      for (int64_t t = 0; t < shape.T; t += step) problem.feed(kernels(), t, std::min(shape.T, t + step), state, o);
      expect_same_bytes(o, whole, fmt::format("{} a call", step));
      expect_same_bytes(sums_of(state), sums_of(whole_state), fmt::format("state, {} a call", step));
    }
    Rng rng(5, "tests/lightning_splits");
    LightningState state = problem.new_state();
    Buffer<float> o(whole.size());
    for (int64_t t = 0; t < shape.T;) {
      const int64_t end = std::min(shape.T, t + rng.between(0, 90));
      problem.feed(kernels(), t, end, state, o);
      t = end;
    }
    expect_same_bytes(o, whole, "random calls");
  }
}

TEST_P(EveryKernel, UpdateLeavesTheStateOfTheFullOp) {
  const Problem problem({300, 3, 24, 40});
  for (const int64_t updated : {1, 63, 64, 150, 299}) {
    LightningState state = problem.new_state(), other = problem.new_state();
    Buffer<float> want(problem.shape.T * 3 * 40), got(problem.shape.T * 3 * 40);
    problem.feed(kernels(), 0, updated, state, want);
    problem.feed(kernels(), updated, 300, state, want);
    for (int64_t t = 0; t < updated; t += 50)
      lightning_update(on(kernels()), problem.keys(problem.k).slice(t, std::min(updated, t + 50)),
                       problem.values(problem.v).slice(t, std::min(updated, t + 50)), problem.slopes, other);
    problem.feed(kernels(), updated, 300, other, got);
    std::fill_n(want.data(), updated * 3 * 40, 0.0f);
    expect_same_bytes(got, want, fmt::format("{} tokens updated", updated));
    expect_same_bytes(sums_of(other), sums_of(state), "state");
    EXPECT_EQ(other.tokens(), 300);
  }
}

TEST_P(EveryKernel, ResetIsAFreshState) {
  const Problem problem({100, 2, 16, 20});
  LightningState state = problem.new_state();
  const Buffer<float> first = problem.run(kernels(), state);
  EXPECT_EQ(state.tokens(), 100);
  EXPECT_EQ(state.buffered(), 36);
  state.reset();
  EXPECT_EQ(state.tokens(), 0);
  expect_same_bytes(problem.run(kernels(), state), first, "after reset");
}

// Heads that lie apart in wider rows, with something that must not be read or written between them.
TEST_P(EveryKernel, LightningOfStridedViews) {
  const Problem problem({70, 2, 20, 12});
  const Buffer<float> dense = problem.run(kernels());
  const int64_t head = 40, row = 100;
  std::vector<Buffer<float>> wide;
  const auto spread = [&](const Buffer<float>& from, int64_t D, float filler) {
    Buffer<float> to(70 * row);
    std::fill_n(to.data(), to.size(), filler);
    for (int64_t t = 0; t < 70; ++t)
      for (int64_t h = 0; h < 2; ++h) std::copy_n(from.data() + (t * 2 + h) * D, D, to.data() + t * row + h * head);
    return to;
  };
  const auto view = [&](Buffer<float>& x, int64_t D) { return TensorView<float, 3>{x.data(), {70, 2, D}, {row, head, 1}}; };
  Buffer<float> q = spread(problem.q, 20, NAN), k = spread(problem.k, 20, NAN), v = spread(problem.v, 12, NAN);
  Buffer<float> o(70 * row);
  std::fill_n(o.data(), o.size(), 9.0f);
  LightningState state = problem.new_state();
  lightning(on(kernels()), view(q, 20), view(k, 20), view(v, 12), problem.slopes, problem.scale, state, view(o, 12));
  expect_same_bytes(o, spread(dense, 12, 9.0f), "strided");
}

// A later token must not reach an earlier output, not even as 0 * infinity.
TEST_P(EveryKernel, LaterTokensDoNotMatter) {
  Problem problem({64, 1, 16, 16});
  const Buffer<float> before = problem.run(kernels());
  for (int64_t i = 40 * 16; i < 64 * 16; ++i) problem.k[i] = problem.v[i] = INFINITY;
  const Buffer<float> after = problem.run(kernels());
  for (int64_t i = 0; i < 40 * 16; ++i) ASSERT_EQ(after[i], before[i]) << i;
  EXPECT_FALSE(std::isfinite(after[63 * 16]));
}

TEST(Lightning, RefIsTheRecurrenceForAnySplit) {
  const Problem problem({200, 3, 9, 10});
  const Buffer<float> want = recurrence(problem), whole = problem.run(ref_kernels());
  expect_within_rounding(problem, whole, want);
  expect_close(whole, want, 1e-6, "ref");
  LightningState state = problem.new_state();
  Buffer<float> o(whole.size());
  for (int64_t t = 0; t < 200; t += 7) problem.feed(ref_kernels(), t, std::min<int64_t>(200, t + 7), state, o);
  expect_same_bytes(o, whole, "7 a call");
}

// One head of one dimension: o[t] = scale * sum of exp(-s (t-j)) q[t] k[j] v[j], by hand.
TEST(Lightning, RefValues) {
  const std::vector<float> q = {1, 2, 3}, k = {1, -1, 2}, v = {4, 5, 0.5f}, slope = {0.6931472f};  // halves at every token
  std::vector<float> o(3);
  LightningState state(1, 1, 1);
  lightning(on(ref_kernels()), make_view(q.data(), 3, 1, 1), make_view(k.data(), 3, 1, 1), make_view(v.data(), 3, 1, 1),
            slope, 0.5f, state, make_view(o.data(), 3, 1, 1));
  EXPECT_FLOAT_EQ(o[0], 2);      // 0.5 * 1 * 4
  EXPECT_FLOAT_EQ(o[1], -3);     // 0.5 * 2 * (2 - 5)
  EXPECT_FLOAT_EQ(o[2], -0.75);  // 0.5 * 3 * (-1.5 + 1)
}

TEST(LightningState, Sizes) {
  LightningState state(3, 16, 24);
  EXPECT_EQ(state.bytes(), 3 * (16 * 24 + 64 * (16 + 24)) * 4);
  EXPECT_EQ(state.sum(2).extent, (std::array<int64_t, 2>{16, 24}));
  EXPECT_EQ(LightningState().bytes(), 0);
}

TEST(Lightning, NamesTheSizesThatDisagree) {
  const Kernels& best = find_kernels("best");
  LightningState state(2, 8, 12);
  Buffer<float> x(1000), o(1000);
  const std::vector<float> slopes = {0.1f, 0.2f}, three = {1, 1, 1}, negative = {0.1f, -0.5f};
  const auto call = [&](int64_t qD, int64_t kH, int64_t vT, int64_t oDv, std::span<const float> s) {
    return [&, qD, kH, vT, oDv, s] {
      lightning(on(best), x.view(5, 2, qD), x.view(5, kH, 8), x.view(vT, 2, 12), s, 1.0f, state, o.view(5, 2, oDv));
    };
  };
  expect_error(ErrorCode::kShape, {"lightning: q is [5, 2, 9]", "[5, 2, 8]"}, call(9, 2, 5, 12, slopes));
  expect_error(ErrorCode::kShape, {"lightning: k is [5, 3, 8]", "[5, 2, 8]"}, call(8, 3, 5, 12, slopes));
  expect_error(ErrorCode::kShape, {"lightning: v is [4, 2, 12]", "[5, 2, 12]"}, call(8, 2, 4, 12, slopes));
  expect_error(ErrorCode::kShape, {"lightning: o is [5, 2, 13]", "[5, 2, 12]"}, call(8, 2, 5, 13, slopes));
  expect_error(ErrorCode::kShape, {"3 slopes", "2 heads"}, call(8, 2, 5, 12, three));
  expect_error(ErrorCode::kConfig, {"slope", "-0.5"}, call(8, 2, 5, 12, negative));
  expect_error(ErrorCode::kShape, {"lightning_update: v is [5, 2, 8]"},
               [&] { lightning_update(on(best), x.view(5, 2, 8), x.view(5, 2, 8), slopes, state); });
  expect_error(ErrorCode::kShape, {"LightningState", "0 heads"}, [] { LightningState(0, 8, 8); });
  EXPECT_EQ(state.tokens(), 0);
}

}  // namespace
}  // namespace sala::ops
