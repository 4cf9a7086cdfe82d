// What the kernels of attention and of block selection share: scores of a few query rows with a tile of 64 packed keys, and
// the vector steps of a softmax. Included by *_cpu.cc only.
#pragma once

#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {

inline constexpr int kTilePanels = 4;                   // panels of 16 keys
inline constexpr int kTileKeys = kTilePanels * kLanes;  // keys of a tile; tiles lie at multiples of it
inline constexpr int kMaxRows = 6;                      // query rows that go together
#if defined(SALA_ISA_AVX512)
inline constexpr int kStepPanels = 4;  // 6 rows x 4 vectors = 24 accumulators of 32 registers
#else
inline constexpr int kStepPanels = 1;
#endif

// Bits of keys [begin, end) of a tile, both relative to it.
SALA_INLINE uint64_t key_bits(int64_t begin, int64_t end) {
  if (end <= 0 || begin >= kTileKeys) return 0;
  const uint64_t from = begin <= 0 ? ~uint64_t{0} : ~uint64_t{0} << begin;
  return end >= kTileKeys ? from : from & ((uint64_t{1} << end) - 1);
}

template <int Rows, int Vectors>
SALA_INLINE void score_step(const float* const* q, const float* panels, int64_t dim, float* scores) {
  F16 sum[Rows][Vectors];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) sum[r][v] = set1(0.0f);
  const int64_t panel = dim * kLanes;
  for (int64_t d = 0; d < dim; ++d) {
    F16 key[Vectors];
    for (int v = 0; v < Vectors; ++v) key[v] = load(panels + v * panel + d * kLanes);
    for (int r = 0; r < Rows; ++r) {
      const F16 query = set1(q[r][d]);
      for (int v = 0; v < Vectors; ++v) sum[r][v] = fma(query, key[v], sum[r][v]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) store(scores + r * kTileKeys + v * kLanes, sum[r][v]);
}

// scores: [Rows, 64]; one FMA chain over the dims for each. `count` <= 4 panels exist; the scores of the others are left
// alone.
template <int Rows>
SALA_INLINE void score_tile(const float* const* q, const float* panels, int count, int64_t dim, float* scores) {
  const float* row[Rows];
  for (int r = 0; r < Rows; ++r) row[r] = q[r];
  int p = 0;
  for (; p + kStepPanels <= count; p += kStepPanels)
    score_step<Rows, kStepPanels>(row, panels + p * dim * kLanes, dim, scores + p * kLanes);
  if constexpr (kStepPanels > 1)
    for (; p < count; ++p) score_step<Rows, 1>(row, panels + p * dim * kLanes, dim, scores + p * kLanes);
}

// Asks for part `part` of `parts` of the floats [0, count) to be brought into the second-level cache: pages of a long cache
// are far apart in memory, and hardware does not look ahead over their ends.
SALA_INLINE void prefetch_part(const float* data, int64_t count, int64_t part, int64_t parts) {
  const int64_t step = (count / parts + kLanes) / kLanes * kLanes;
  const int64_t end = (part + 1) * step < count ? (part + 1) * step : count;
  for (int64_t i = part * step; i < end; i += kLanes) __builtin_prefetch(data + i, 0, 2);
}

// Lane i of `a` where bit i is set, else `other`.
SALA_INLINE F16 keep_lanes(F16 a, uint32_t bits, F16 other) {
#if defined(SALA_ISA_AVX512)
  return {_mm512_mask_blend_ps(static_cast<__mmask16>(bits), other.v, a.v)};
#elif defined(SALA_ISA_AVX2)
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const auto keep = [&](__m256 x, __m256 y, uint32_t eight) {
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(eight)), bit);
    return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit)));
  };
  return {keep(a.lo, other.lo, bits & 255), keep(a.hi, other.hi, bits >> 8 & 255)};
#else
  return internal::lanes([&](int i) { return (bits >> i & 1) != 0 ? a.v[i] : other.v[i]; });
#endif
}

// Bit i: lane i of a is greater than that of b.
SALA_INLINE uint32_t greater_bits(F16 a, F16 b) {
#if defined(SALA_ISA_AVX512)
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ);
#elif defined(SALA_ISA_AVX2)
  const auto bits = [](__m256 x, __m256 y) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_GT_OQ)));
  };
  return bits(a.lo, b.lo) | bits(a.hi, b.hi) << 8;
#else
  uint32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= static_cast<uint32_t>(a.v[i] > b.v[i]) << i;
  return bits;
#endif
}

// Largest lane. Unlike reduce_max() it has no fixed tree: a maximum does not depend on the order.
SALA_INLINE float largest_lane(F16 a) {
#if defined(SALA_ISA_AVX512)
  return _mm512_reduce_max_ps(a.v);
#elif defined(SALA_ISA_AVX2)
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
#else
  float lane = a.v[0];
  for (int i = 1; i < kLanes; ++i) lane = a.v[i] > lane ? a.v[i] : lane;
  return lane;
#endif
}

// exp(x) for x <= 88: the same bits with fewer steps. Minus infinity gives 0, a NaN stays one.
SALA_INLINE F16 exp_below_88(F16 x) {
  const F16 lowest = set1(-87.33654f), magic = set1(12582912.0f);
  const F16 inside = max(lowest, x);  // in this order a NaN passes
  const F16 n = sub(add(mul(inside, set1(1.44269504f)), magic), magic);
  F16 r = fma(n, set1(-0.693145752f), inside);
  r = fma(n, set1(-1.42860677e-6f), r);
  F16 p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
#if defined(SALA_ISA_AVX512)
  return {_mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(lowest.v, x.v, _CMP_NGT_UQ), p.v, n.v)};
#else
  return where_greater(lowest, x, set1(0.0f), scale_by_power(p, n));
#endif
}

}  // namespace sala::ops::SALA_ISA
