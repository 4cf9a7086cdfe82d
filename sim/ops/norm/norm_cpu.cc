#include "sim/ops/norm/norm_tiles.h"
#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {
namespace {

constexpr int kTogether = 4;  // rows whose chains of additions overlap

// Sums of squares of R rows, each in its own 16 lanes.
template <int R>
SALA_INLINE void sum_squares(const float* x, int64_t stride, int64_t n, float (&out)[R]) {
  F16 sum[R];
  for (int r = 0; r < R; ++r) sum[r] = set1(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int r = 0; r < R; ++r) {
      const F16 a = load(x + r * stride + i);
      sum[r] = fma(a, a, sum[r]);
    }
  if (i < n)
    for (int r = 0; r < R; ++r) {
      const F16 a = load_first(x + r * stride + i, static_cast<int>(n - i));
      sum[r] = fma(a, a, sum[r]);
    }
  for (int r = 0; r < R; ++r) out[r] = reduce_add(sum[r]);
}

template <Numerics kNumerics>
SALA_INLINE F16 scaled(F16 x, F16 factor, F16 w) {
  return rounded(kNumerics, mul(rounded(kNumerics, mul(x, factor)), w));
}

template <Numerics kNumerics>
SALA_INLINE void scale_row(const float* x, float factor, const float* w, float* y, int64_t n) {
  const F16 by = set1(factor);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, scaled<kNumerics>(load(x + i), by, load(w + i)));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_first(y + i, scaled<kNumerics>(load_first(x + i, rest), by, load_first(w + i, rest)), rest);
}

template <int R, Numerics kNumerics>
void norm_rows(const NormTile& tile, int64_t first) {
  const float* x = tile.x + first * tile.x_stride;
  float squares[R];
  sum_squares<R>(x, tile.x_stride, tile.N, squares);
  for (int r = 0; r < R; ++r) {
    const float mean = squares[r] / static_cast<float>(tile.N) + tile.eps;
    const float factor = mean < INFINITY ? 1.0f / std::sqrt(mean) : NAN;
    scale_row<kNumerics>(x + r * tile.x_stride, factor, tile.w, tile.y + (first + r) * tile.y_stride, tile.N);
  }
}

template <Numerics kNumerics>
void norm_all(const NormTile& tile) {
  int64_t t = 0;
  for (; t + kTogether <= tile.rows; t += kTogether) norm_rows<kTogether, kNumerics>(tile, t);
  for (; t < tile.rows; ++t) norm_rows<1, kNumerics>(tile, t);
}

}  // namespace

void norm_tile(const NormTile& tile) {
  if (tile.numerics == Numerics::kBf16) return norm_all<Numerics::kBf16>(tile);
  norm_all<Numerics::kFp32>(tile);
}

}  // namespace sala::ops::SALA_ISA
