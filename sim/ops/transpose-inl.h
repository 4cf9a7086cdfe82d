// to[c][r] = from[r][c] of a 16 x 16 block, in registers. Included by *_cpu.cc only.
#pragma once

#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {

#if defined(SALA_ISA_AVX512)

SALA_INLINE void transpose16(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m512 a[16], b[16];
  SALA_UNROLL for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(from + i * from_stride);
  SALA_UNROLL for (int i = 0; i < 16; i += 2) {  // pairs of rows, within each quarter
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  SALA_UNROLL for (int i = 0; i < 16; i += 4) {  // four rows: a[i + c] holds columns c, c + 4, c + 8, c + 12
    for (int half = 0; half < 2; ++half) {
      const __m512d x = _mm512_castps_pd(b[i + half]), y = _mm512_castps_pd(b[i + half + 2]);
      a[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
      a[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
    }
  }
  SALA_UNROLL for (int c = 0; c < 4; ++c) {  // quarters of four vectors to four columns
    const __m512 even = _mm512_shuffle_f32x4(a[c], a[c + 4], 0x88), odd = _mm512_shuffle_f32x4(a[c], a[c + 4], 0xdd);
    const __m512 even2 = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0x88),
                 odd2 = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0xdd);
    _mm512_storeu_ps(to + c * to_stride, _mm512_shuffle_f32x4(even, even2, 0x88));
    _mm512_storeu_ps(to + (c + 4) * to_stride, _mm512_shuffle_f32x4(odd, odd2, 0x88));
    _mm512_storeu_ps(to + (c + 8) * to_stride, _mm512_shuffle_f32x4(even, even2, 0xdd));
    _mm512_storeu_ps(to + (c + 12) * to_stride, _mm512_shuffle_f32x4(odd, odd2, 0xdd));
  }
}

#elif defined(SALA_ISA_AVX2)

namespace internal {
SALA_INLINE void transpose8(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 a[8], b[8];
  SALA_UNROLL for (int i = 0; i < 8; ++i) a[i] = _mm256_loadu_ps(from + i * from_stride);
  SALA_UNROLL for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  SALA_UNROLL for (int i = 0; i < 8; i += 4) {
    for (int half = 0; half < 2; ++half) {
      const __m256d x = _mm256_castps_pd(b[i + half]), y = _mm256_castps_pd(b[i + half + 2]);
      a[i + 2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(x, y));
      a[i + 2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(x, y));
    }
  }
  SALA_UNROLL for (int c = 0; c < 4; ++c) {
    _mm256_storeu_ps(to + c * to_stride, _mm256_permute2f128_ps(a[c], a[c + 4], 0x20));
    _mm256_storeu_ps(to + (c + 4) * to_stride, _mm256_permute2f128_ps(a[c], a[c + 4], 0x31));
  }
}
}  // namespace internal

SALA_INLINE void transpose16(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int r = 0; r < 16; r += 8)
    for (int c = 0; c < 16; c += 8)
      internal::transpose8(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
}

#else  // portable

SALA_INLINE void transpose16(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 16; ++c) to[c * to_stride + r] = from[r * from_stride + c];
}

#endif

}  // namespace sala::ops::SALA_ISA
