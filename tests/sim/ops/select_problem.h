// Random problems of block selection, and what it means that two selections are the same.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "sim/ops/compress/compress.h"
#include "sim/ops/select/select.h"
#include "tests/sim/ops/op_test.h"

namespace sala::ops {

// Pooled scores of fp32 exponentials against double: the error of the normaliser, of one exponential and of a few sums.
inline constexpr double kAgainstRef = 5e-6;
inline constexpr double kBf16Step = 1.0 / 128;

struct Shape {
  int64_t R, S, H, Hkv, D;
  std::string name() const { return fmt::format("R {} S {} H {} Hkv {} D {}", R, S, H, Hkv, D); }
};

inline SelectParams params_of(int64_t block, int64_t kernel, int64_t stride, int64_t init, int64_t window, int64_t topk) {
  SelectParams params;
  params.block_size = block, params.kernel_size = kernel, params.kernel_stride = stride;
  params.init_blocks = init, params.window_size = window, params.topk = topk;
  return params;
}
inline const SelectParams kSmall = params_of(16, 8, 4, 1, 32, 4);
inline const SelectParams kReleased = SelectParams{};

struct Selection {
  test::Buffer<int32_t> blocks;
  test::Buffer<float> scores;  // empty, or [R, Hkv, Nb]
};

// Random q and k; the queries are the last R tokens, or the last token and those query_step tokens apart before it.
class Problem {
 public:
  Problem(const Shape& wanted, const SelectParams& chosen, float logits = 3, uint64_t seed = 1,
          Numerics wanted_numerics = Numerics::kFp32)
      : shape(wanted), params(chosen), numerics(wanted_numerics), q_(random_values(wanted.R * wanted.H * wanted.D, seed)) {
    params.scale = logits / std::sqrt(static_cast<float>(shape.D));
    set_keys(random_values(shape.S * shape.Hkv * shape.D, seed + 1));
  }
  void set_keys(const Buffer<float>& k) {
    const auto feed = [&](int64_t factor) {
      const CompressParams windows{static_cast<int>(factor * params.kernel_size),
                                   static_cast<int>(factor * params.kernel_stride)};
      PackedKeys keys(shape.Hkv, shape.D, shape.S, memory());
      KeyCompressor(shape.Hkv, shape.D, windows)
          .append(on(find_kernels("best"), numerics), k.view(shape.S, shape.Hkv, shape.D), keys);
      return keys;
    };
    fine = feed(1);
    coarse = feed(SelectParams::kCoarse);
  }
  int64_t first() const { return shape.S - 1 - (shape.R - 1) * params.query_step; }
  int64_t num_blocks() const { return (shape.S - 1) / params.block_size + 1; }
  Selection select(const Kernels& kernels, bool with_scores = false, int64_t step = 0) const {
    Selection out{test::Buffer<int32_t>(shape.R * shape.Hkv * params.slots()), test::Buffer<float>()};
    if (with_scores) out.scores.resize_discard(shape.R * shape.Hkv * num_blocks());
    if (step == 0) step = shape.R;
    for (int64_t at = 0; at < shape.R; at += step) {
      const int64_t end = std::min(shape.R, at + step);
      const auto scores =
          with_scores ? out.scores.view(shape.R, shape.Hkv, num_blocks()).slice(at, end) : TensorView<float, 3>{};
      select_blocks(on(kernels, numerics), q_.view(shape.R, shape.H, shape.D).slice(at, end), fine, coarse,
                    first() + at * params.query_step, params,
                    out.blocks.view(shape.R, shape.Hkv, params.slots()).slice(at, end), with_scores ? &scores : nullptr);
    }
    return out;
  }

  Shape shape;
  SelectParams params;
  Numerics numerics;
  PackedKeys fine{1, 1, 0}, coarse{1, 1, 0};

 private:
  test::Buffer<float> q_;
};

inline void expect_same_blocks(const Buffer<int32_t>& got, const Buffer<int32_t>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  int64_t different = 0, first = -1;
  for (int64_t i = 0; i < got.size(); ++i)
    if (got[i] != want[i] && different++ == 0) first = i;
  EXPECT_EQ(different, 0) << what << ": first at " << first << ", " << (first < 0 ? 0 : got[first]) << " and "
                          << (first < 0 ? 0 : want[first]);
}

// The selection must be right up to blocks whose exact scores are closer than the tolerance.
inline void expect_same_selection(const Problem& problem, const Selection& got, const Selection& ref, double tolerance,
                                  const std::string& what) {
  const int64_t slots = problem.params.slots(), Nb = problem.num_blocks();
  for (int64_t row = 0; row < problem.shape.R * problem.shape.Hkv; ++row) {
    const int32_t *a = got.blocks.data() + row * slots, *b = ref.blocks.data() + row * slots;
    const float* scores = ref.scores.data() + row * Nb;
    ASSERT_EQ(std::count(a, a + slots, -1), std::count(b, b + slots, -1)) << what << " row " << row;
    ASSERT_TRUE(std::adjacent_find(a, std::find(a, a + slots, -1), std::greater_equal<>()) == std::find(a, a + slots, -1));
    double worst_in = INFINITY, best_out = -INFINITY;  // of the blocks that only one of the two has chosen
    const std::set<int32_t> mine(a, a + slots), theirs(b, b + slots);
    for (const int32_t id : mine)
      if (id >= 0 && !theirs.contains(id)) worst_in = std::min(worst_in, static_cast<double>(scores[id]));
    for (const int32_t id : theirs)
      if (id >= 0 && !mine.contains(id)) best_out = std::max(best_out, static_cast<double>(scores[id]));
    if (best_out > -INFINITY) {
      ASSERT_LE(best_out, worst_in + tolerance * best_out) << what << " row " << row;
    }
  }
}

// Scores: equal infinities, close numbers.
inline void expect_close_scores(const Buffer<float>& got, const Buffer<float>& want, double tolerance,
                                const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double worst = 0;
  int64_t where = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    const double a = got[i], b = want[i];
    const double difference = a == b ? 0 : std::fabs(a - b) / std::max(std::fabs(b), 1e-30);
    if (!(difference <= worst)) worst = difference, where = i;
  }
  EXPECT_LE(worst, tolerance) << what << ": element " << where << " is " << got[where] << ", expected " << want[where];
}

}  // namespace sala::ops
