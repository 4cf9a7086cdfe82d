// Register tiles of R rows by 16 NV outputs; the weights of 16 NV outputs stay in L1 while the rows of the tile pass by.
#include <algorithm>

#include "sim/ops/gemm-inl.h"
#include "sim/ops/linear/linear_tiles.h"

namespace sala::ops::SALA_ISA {
namespace {

#if defined(SALA_ISA_AVX512)
constexpr int kRows = 14, kVectors = 2, kDecodeVectors = 8;  // 28 sums, 2 weights and an x in 32 registers
#elif defined(SALA_ISA_AVX2)
constexpr int kRows = 6, kVectors = 1, kDecodeVectors = 4;  // 12 sums, 2 weights and an x in 16 registers of 8 lanes
#else
constexpr int kRows = 4, kVectors = 1, kDecodeVectors = 4;
#endif
constexpr int64_t kDepth = 256;  // k per pass: 16 NV outputs of it fit into L1
constexpr int64_t kStride =
    kDepth + 16;  // between the copied rows: no power of two, so that they spread over the cache's sets

SALA_INLINE F16 load_columns(const float* p, int64_t columns) {
  return columns >= kLanes ? load(p) : load_first(p, static_cast<int>(columns));
}
SALA_INLINE void store_columns(float* p, F16 a, int64_t columns) {
  if (columns >= kLanes) return store(p, a);
  store_first(p, a, static_cast<int>(columns));
}

// y[R][columns] (+)= x[R][depth] * panels; columns <= 16 NV and only the last vector may be cut.
template <int R, int NV>
SALA_INLINE void multiply(const float* x, int64_t x_stride, const float* panels, int64_t panel_stride, int64_t depth,
                          bool first, float* y, int64_t y_stride, int64_t columns) {
  F16 sum[R][NV];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v)
      sum[r][v] = first ? set1(0.0f) : load_columns(y + r * y_stride + v * kLanes, columns - v * kLanes);
  accumulate(x, x_stride, panels, kLanes, panel_stride, depth, sum);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) store_columns(y + r * y_stride + v * kLanes, sum[r][v], columns - v * kLanes);
}

// As many blocks of R rows as there are, from row `done` on.
template <int R, int NV>
SALA_INLINE void row_blocks(const float* x, int64_t rows, const float* panels, int64_t panel_stride, int64_t depth,
                            bool first, float* y, int64_t y_stride, int64_t columns, int64_t& done) {
  for (; done + R <= rows; done += R)
    multiply<R, NV>(x + done * kStride, kStride, panels, panel_stride, depth, first, y + done * y_stride, y_stride, columns);
}

template <int NV>
__attribute__((noinline)) void all_rows(const float* x, int64_t rows, const float* panels, int64_t panel_stride,
                                        int64_t depth, bool first, float* y, int64_t y_stride, int64_t columns) {
  int64_t done = 0;
  row_blocks<kRows, NV>(x, rows, panels, panel_stride, depth, first, y, y_stride, columns, done);
  if constexpr (kRows > 8) row_blocks<8, NV>(x, rows, panels, panel_stride, depth, first, y, y_stride, columns, done);
  row_blocks<4, NV>(x, rows, panels, panel_stride, depth, first, y, y_stride, columns, done);
  row_blocks<2, NV>(x, rows, panels, panel_stride, depth, first, y, y_stride, columns, done);
  row_blocks<1, NV>(x, rows, panels, panel_stride, depth, first, y, y_stride, columns, done);
}

// One row: bound by reading the weights, so many chains at once and no copy.
void one_row(const LinearTile& tile) {
  const int64_t panel_stride = tile.K * kLanes;
  int64_t column = 0;
  for (; column + kDecodeVectors * kLanes <= tile.columns; column += kDecodeVectors * kLanes)
    multiply<1, kDecodeVectors>(tile.x, 0, tile.panels + column * tile.K, panel_stride, tile.K, true, tile.y + column, 0,
                                kDecodeVectors * kLanes);
  for (; column < tile.columns; column += kLanes)
    multiply<1, 1>(tile.x, 0, tile.panels + column * tile.K, panel_stride, tile.K, true, tile.y + column, 0,
                   tile.columns - column);
}

}  // namespace

void linear_tile(const LinearTile& tile) {
  if (tile.rows == 1) return one_row(tile);
  alignas(64) float x[kLinearTileRows * kStride];
  const int64_t panel_stride = tile.K * kLanes;
  int64_t k = 0;
  do {
    const int64_t depth = std::min(kDepth, tile.K - k);
    for (int64_t r = 0; r < tile.rows; ++r) std::copy_n(tile.x + r * tile.x_stride + k, depth, x + r * kStride);
    for (int64_t column = 0; column < tile.columns;) {
      const float* panels = tile.panels + column * tile.K + k * kLanes;
      const int64_t left = tile.columns - column;
      if (left > (kVectors - 1) * kLanes) {
        all_rows<kVectors>(x, tile.rows, panels, panel_stride, depth, k == 0, tile.y + column, tile.y_stride, left);
        column += kVectors * kLanes;
      } else {
        all_rows<1>(x, tile.rows, panels, panel_stride, depth, k == 0, tile.y + column, tile.y_stride, left);
        column += kLanes;
      }
    }
    k += depth;
  } while (k < tile.K);
}

}  // namespace sala::ops::SALA_ISA
