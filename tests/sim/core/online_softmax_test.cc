#include "sala/core/online_softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace sala::numbers {

// A number with the operations that the states ask for.
struct Number {
  double v;
};
Number max(Number a, Number b) { return {std::max(a.v, b.v)}; }
Number min(Number a, Number b) { return {std::min(a.v, b.v)}; }
Number sub(Number a, Number b) { return {a.v - b.v}; }
Number mul(Number a, Number b) { return {a.v * b.v}; }
Number fma(Number a, Number b, Number c) { return {std::fma(a.v, b.v, c.v)}; }
Number where_greater(Number x, Number y, Number a, Number b) { return x.v > y.v ? a : b; }
Number exp_below_88(Number x) { return {std::exp(x.v)}; }

struct State {
  Number m{-INFINITY}, d{0}, o{0};
};
State merged(const State& a, const State& b) {
  const MergeWeights<Number> weights = merge_weights(a.m, b.m, Number{1});
  return {weights.m, merge(a.d, b.d, weights), merge(a.o, b.o, weights)};
}
State of(double score, double value) { return {{score}, {1}, {value}}; }

TEST(OnlineSoftmax, MergedPiecesAreTheWhole) {
  const std::vector<double> scores = {0.5, -2, 7, 7, -30, 3.25, 700, 699}, values = {1, -4, 2, 8, 5, -1, 3, -6};
  double d = 0, o = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    d += std::exp(scores[i] - 700);
    o += std::exp(scores[i] - 700) * values[i];
  }
  for (size_t cut = 0; cut <= scores.size(); ++cut) {
    State first, second;
    for (size_t i = 0; i < scores.size(); ++i) {
      State& to = i < cut ? first : second;
      to = merged(to, of(scores[i], values[i]));
    }
    const State all = merged(first, second);
    EXPECT_EQ(all.m.v, 700);
    EXPECT_NEAR(all.d.v, d, 1e-12 * d);
    EXPECT_NEAR(all.o.v, o, 1e-12 * std::abs(o));
  }
}

TEST(OnlineSoftmax, OneWeightIsExactlyOne) {
  for (const auto& [a, b] : std::vector<std::pair<double, double>>{{1, 2}, {2, 1}, {3, 3}}) {
    const MergeWeights<Number> weights = merge_weights(Number{a}, Number{b}, Number{1});
    EXPECT_EQ(std::max(weights.first.v, weights.second.v), 1);
    EXPECT_EQ(a >= b ? weights.first.v : weights.second.v, 1);
  }
}

TEST(OnlineSoftmax, AnEmptyStateChangesNothing) {
  const State some = of(-5, 3), empty;
  for (const State& state : {merged(some, empty), merged(empty, some)}) {
    EXPECT_EQ(state.m.v, -5);
    EXPECT_EQ(state.d.v, 1);
    EXPECT_EQ(state.o.v, 3);
  }
  const State nothing = merged(empty, empty);
  EXPECT_EQ(nothing.m.v, -INFINITY);
  EXPECT_EQ(nothing.d.v, 0);
  EXPECT_EQ(nothing.o.v, 0);
}

}  // namespace sala::numbers
