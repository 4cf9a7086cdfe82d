// One head, chunk by chunk: the new tokens enter the buffer of the chunk, their outputs are read, a full chunk enters the
// sum.
#include <algorithm>
#include <type_traits>

#include "sim/ops/gemm-inl.h"
#include "sim/ops/lightning/lightning_tiles.h"
#include "sim/ops/transpose-inl.h"

namespace sala::ops::SALA_ISA {
namespace {

constexpr int64_t kChunk = LightningState::kChunk;
#if defined(SALA_ISA_AVX512)
constexpr int kLightningRows = 8, kLightningVectors = 2;
#elif defined(SALA_ISA_AVX2)
constexpr int kLightningRows = 6, kLightningVectors = 1;
#else
constexpr int kLightningRows = 4, kLightningVectors = 1;
#endif

// Copies n tokens from row t on to place i of the buffer, keys transposed.
void append(const LightningTile& tile, int64_t t, int64_t i, int64_t n) {
  const float *k = tile.k + t * tile.k_stride, *v = tile.v + t * tile.v_stride;
  for (int64_t j = 0; j < n; ++j) std::copy_n(v + j * tile.v_stride, tile.Dv, tile.values + (i + j) * tile.Dv);
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes)
    for (int64_t d = 0; d < tile.D; d += kLanes) {
      const int64_t lanes = std::min<int64_t>(kLanes, tile.D - d);
      const float* from = k + j * tile.k_stride + d;
      float* to = tile.keys + d * kChunk + i + j;
      if (lanes == kLanes) {
        transpose16(from, tile.k_stride, to, kChunk);
      } else {
        for (int64_t row = 0; row < kLanes; ++row)
          for (int64_t lane = 0; lane < lanes; ++lane) to[lane * kChunk + row] = from[row * tile.k_stride + lane];
      }
    }
  for (; j < n; ++j)
    for (int64_t d = 0; d < tile.D; ++d) tile.keys[d * kChunk + i + j] = k[j * tile.k_stride + d];
}

// scores[r][j] = (q[r] . k[j]) * decay for the R queries from place i on; up to the end of the vector that holds the last of
// them.
template <int R>
SALA_INLINE void score_rows(const LightningTile& tile, const float* q, int64_t i, float* scores) {
  for (int64_t j = 0; j < i + R; j += kLightningVectors * kLanes) {
    F16 sum[R][kLightningVectors];
    clear(sum);
    accumulate(q, tile.q_stride, tile.keys + j, kChunk, kLanes, tile.D, sum);
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < kLightningVectors; ++v) {
        const int64_t at = j + v * kLanes;
        store(scores + r * kChunk + at, mul(sum[r][v], load(tile.decays->to_query + kChunk - 1 - (i + r) + at)));
      }
  }
}

// NV vectors of outputs of R queries, the last one cut to `lanes` when kCut.
template <int R, int NV, bool kCut>
SALA_INLINE void output_columns(const LightningTile& tile, const float* q, const float* scores, int64_t i, int64_t column,
                                int lanes, float* o) {
  F16 sum[R][NV];
  clear(sum);
  const float *state = tile.sum + column, *values = tile.values + column;
  if constexpr (kCut) {
    accumulate_first(q, tile.q_stride, state, tile.Dv, lanes, tile.D, sum);
  } else {
    accumulate(q, tile.q_stride, state, tile.Dv, kLanes, tile.D, sum);
  }
  for (int r = 0; r < R; ++r) {
    const F16 decay = set1(tile.decays->power[i + r + 1]);
    for (int v = 0; v < NV; ++v) sum[r][v] = mul(sum[r][v], decay);
  }
  if constexpr (kCut) {
    accumulate_first(scores, kChunk, values, tile.Dv, lanes, i + 1, sum);
  } else {
    accumulate(scores, kChunk, values, tile.Dv, kLanes, i + 1, sum);
  }
  SALA_UNROLL for (int j = 1; j < R; ++j)  // the values that only the later rows may see
      for (int v = 0; v < NV; ++v) {
    const float* row = values + (i + j) * tile.Dv + v * kLanes;
    const F16 value = kCut ? load_first(row, lanes) : load(row);
    SALA_UNROLL for (int r = j; r < R; ++r) sum[r][v] = fma(set1(scores[r * kChunk + i + j]), value, sum[r][v]);
  }
  const F16 scale = set1(tile.scale);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) {
      float* to = o + r * tile.o_stride + column + v * kLanes;
      if constexpr (kCut) {
        store_first(to, mul(sum[r][v], scale), lanes);
      } else {
        store(to, mul(sum[r][v], scale));
      }
    }
}

// R queries from row t on, the first at place i of the chunk.
template <int R>
__attribute__((noinline)) void output_rows(const LightningTile& tile, int64_t t, int64_t i) {
  alignas(64) float scores[R * kChunk];
  const float* q = tile.q + t * tile.q_stride;
  float* o = tile.o + t * tile.o_stride;
  score_rows<R>(tile, q, i, scores);
  int64_t column = 0;
  for (; column + kLightningVectors * kLanes <= tile.Dv; column += kLightningVectors * kLanes)
    output_columns<R, kLightningVectors, false>(tile, q, scores, i, column, kLanes, o);
  for (; column + kLanes <= tile.Dv; column += kLanes) output_columns<R, 1, false>(tile, q, scores, i, column, kLanes, o);
  if (column < tile.Dv) output_columns<R, 1, true>(tile, q, scores, i, column, static_cast<int>(tile.Dv - column), o);
}

void outputs(const LightningTile& tile, int64_t t, int64_t i, int64_t n) {
  const int64_t end = i + n;
  const auto blocks = [&](auto rows) {
    constexpr int R = decltype(rows)::value;
    for (; i + R <= end; i += R, t += R) output_rows<R>(tile, t, i);
  };
  blocks(std::integral_constant<int, kLightningRows>());
  blocks(std::integral_constant<int, 4>());
  blocks(std::integral_constant<int, 2>());
  blocks(std::integral_constant<int, 1>());
}

// R rows of the sum: decayed once, then the chunk's keys (decayed already) times its values.
template <int R>
__attribute__((noinline)) void sum_rows(const LightningTile& tile, int64_t d) {
  const F16 decay = set1(tile.decays->power[kChunk]);
  const float* keys = tile.keys + d * kChunk;
  float* state = tile.sum + d * tile.Dv;
  const auto columns = [&](auto vectors, int64_t column) {
    constexpr int NV = decltype(vectors)::value;
    F16 sum[R][NV];
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v) sum[r][v] = mul(decay, load(state + r * tile.Dv + column + v * kLanes));
    accumulate(keys, kChunk, tile.values + column, tile.Dv, kLanes, kChunk, sum);
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v) store(state + r * tile.Dv + column + v * kLanes, sum[r][v]);
  };
  int64_t column = 0;
  for (; column + kLightningVectors * kLanes <= tile.Dv; column += kLightningVectors * kLanes)
    columns(std::integral_constant<int, kLightningVectors>(), column);
  for (; column + kLanes <= tile.Dv; column += kLanes) columns(std::integral_constant<int, 1>(), column);
  const int lanes = static_cast<int>(tile.Dv - column);
  if (lanes == 0) return;
  F16 sum[R][1];
  for (int r = 0; r < R; ++r) sum[r][0] = mul(decay, load_first(state + r * tile.Dv + column, lanes));
  accumulate_first(keys, kChunk, tile.values + column, tile.Dv, lanes, kChunk, sum);
  for (int r = 0; r < R; ++r) store_first(state + r * tile.Dv + column, sum[r][0], lanes);
}

// The full buffer enters the sum; its keys are decayed in place, the next chunk overwrites them.
void finish_chunk(const LightningTile& tile) {
  for (int64_t d = 0; d < tile.D; ++d)
    for (int64_t j = 0; j < kChunk; j += kLanes) {
      float* key = tile.keys + d * kChunk + j;
      store(key, mul(load(key), load(tile.decays->to_query + j)));
    }
  int64_t d = 0;
  for (; d + kLightningRows <= tile.D; d += kLightningRows) sum_rows<kLightningRows>(tile, d);
  for (; d < tile.D; ++d) sum_rows<1>(tile, d);
}

}  // namespace

void lightning_tile(const LightningTile& tile) {
  int64_t i = tile.buffered;
  for (int64_t t = 0; t < tile.T;) {
    const int64_t n = std::min(kChunk - i, tile.T - t);
    append(tile, t, i, n);
    if (tile.q != nullptr) outputs(tile, t, i, n);
    t += n;
    i += n;
    if (i < kChunk) break;
    finish_chunk(tile);
    i = 0;
  }
}

}  // namespace sala::ops::SALA_ISA
