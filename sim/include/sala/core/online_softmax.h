// The state of a softmax that is computed piece by piece, and how two states become one. For one row of scores s over some
// keys with values v:
//   m = largest s,   d = sum exp(s - m),   o = sum exp(s - m) v;   the softmax of the row times the values is o / d
//   merged: m = max(m1, m2), w1 = exp(m1 - m), w2 = exp(m2 - m), d = fma(d2, w2, d1 w1), o likewise; one weight is exactly 1
// A state that has seen no key is m = -inf, d = 0, o = 0. Merging it changes nothing, and its o / d is defined as 0.
//
// V is a number or a vector of numbers with max, min, sub, mul, fma(a, b, c) = a b + c, where_greater(x, y, a, b) and
// exp_below_88, which gives 0 for -inf; they are found by V's namespace. Whoever merges states merges them in a fixed order.
#pragma once

namespace sala {

template <class V>
struct MergeWeights {
  V m, first, second;
};

template <class V>
[[gnu::always_inline]] inline MergeWeights<V> merge_weights(V m1, V m2, V one) {
  const V m = max(m1, m2);
  const V smaller = exp_below_88(sub(min(m1, m2), m));  // of two empty states a NaN, which nobody takes
  return {m, where_greater(m2, m1, smaller, one), where_greater(m1, m2, smaller, one)};
}

// d or o of the merged state.
template <class V>
[[gnu::always_inline]] inline V merge(V first, V second, const MergeWeights<V>& weights) {
  return fma(second, weights.second, mul(first, weights.first));
}

}  // namespace sala
