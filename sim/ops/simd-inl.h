// Sixteen floats as one value, the same arithmetic on every instruction set. Included by *_cpu.cc only, which are compiled
// once per instruction set with SALA_ISA set to the namespace. Every operation is one IEEE operation per lane (fma: one
// rounding), so a kernel written with it gives the same bits everywhere.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "sala/core/numerics.h"

#if defined(SALA_ISA_AVX2) || defined(SALA_ISA_AVX512)
#include <immintrin.h>
#endif

#ifndef SALA_ISA
#error "compile with -DSALA_ISA=portable, avx2 or avx512"
#endif
#define SALA_INLINE inline __attribute__((always_inline))
// Before a short loop whose index picks registers.
#if defined(__clang__)
#define SALA_UNROLL _Pragma("unroll")
#else
#define SALA_UNROLL _Pragma("GCC unroll 16")
#endif

namespace sala::ops::SALA_ISA {

inline constexpr int kLanes = 16;

#if defined(SALA_ISA_AVX512)

struct F16 {
  __m512 v;
};
SALA_INLINE F16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
SALA_INLINE F16 load_first(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)};
}
SALA_INLINE void store(float* p, F16 a) { _mm512_storeu_ps(p, a.v); }
SALA_INLINE void store_first(float* p, F16 a, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), a.v);
}
SALA_INLINE F16 set1(float x) { return {_mm512_set1_ps(x)}; }
SALA_INLINE F16 add(F16 a, F16 b) { return {_mm512_add_ps(a.v, b.v)}; }
SALA_INLINE F16 sub(F16 a, F16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
SALA_INLINE F16 mul(F16 a, F16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
SALA_INLINE F16 div(F16 a, F16 b) { return {_mm512_div_ps(a.v, b.v)}; }
SALA_INLINE F16 fma(F16 a, F16 b, F16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }  // a * b + c
// max and min as `a > b ? a : b` and `a < b ? a : b`: the second operand wins when either is NaN or both are zero.
SALA_INLINE F16 max(F16 a, F16 b) { return {_mm512_max_ps(a.v, b.v)}; }
SALA_INLINE F16 min(F16 a, F16 b) { return {_mm512_min_ps(a.v, b.v)}; }
// mask lane ? a : b, where mask is a > b of two other values.
SALA_INLINE F16 where_greater(F16 x, F16 y, F16 a, F16 b) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(x.v, y.v, _CMP_GT_OQ), b.v, a.v)};
}
// x must be integral, |x| < 2^15; gives a * 2^x for a normal result. A NaN in both stays NaN.
SALA_INLINE F16 scale_by_power(F16 a, F16 x) {
  const __m512i bits = _mm512_slli_epi32(_mm512_cvtps_epi32(x.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), bits))};
}
SALA_INLINE F16 round_bf16(F16 a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i cut = _mm512_and_si512(up, _mm512_set1_epi32(static_cast<int>(0xffff0000)));
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), _mm512_castsi512_ps(cut), a.v)};
}
SALA_INLINE void store_array(float (&out)[kLanes], F16 a) { _mm512_storeu_ps(out, a.v); }
SALA_INLINE __m256 low_plus_high(F16 a) {
  return _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}

#elif defined(SALA_ISA_AVX2)

struct F16 {
  __m256 lo, hi;
};
namespace internal {
SALA_INLINE __m256i first_mask(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SALA_INLINE __m256 scale(__m256 a, __m256 x) {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_cvtps_epi32(x), 23)));
}
SALA_INLINE __m256 to_bf16(__m256 a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i cut = _mm256_and_si256(up, _mm256_set1_epi32(static_cast<int>(0xffff0000)));
  return _mm256_blendv_ps(_mm256_castsi256_ps(cut), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
}  // namespace internal
SALA_INLINE F16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
SALA_INLINE F16 load_first(const float* p, int n) {
  return {_mm256_maskload_ps(p, internal::first_mask(n)), _mm256_maskload_ps(p + 8, internal::first_mask(n - 8))};
}
SALA_INLINE void store(float* p, F16 a) { _mm256_storeu_ps(p, a.lo), _mm256_storeu_ps(p + 8, a.hi); }
SALA_INLINE void store_first(float* p, F16 a, int n) {
  _mm256_maskstore_ps(p, internal::first_mask(n), a.lo);
  _mm256_maskstore_ps(p + 8, internal::first_mask(n - 8), a.hi);
}
SALA_INLINE F16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
SALA_INLINE F16 add(F16 a, F16 b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
SALA_INLINE F16 sub(F16 a, F16 b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
SALA_INLINE F16 mul(F16 a, F16 b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
SALA_INLINE F16 div(F16 a, F16 b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
SALA_INLINE F16 fma(F16 a, F16 b, F16 c) { return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)}; }
SALA_INLINE F16 max(F16 a, F16 b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
SALA_INLINE F16 min(F16 a, F16 b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
SALA_INLINE F16 where_greater(F16 x, F16 y, F16 a, F16 b) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_cmp_ps(x.lo, y.lo, _CMP_GT_OQ)),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_cmp_ps(x.hi, y.hi, _CMP_GT_OQ))};
}
SALA_INLINE F16 scale_by_power(F16 a, F16 x) { return {internal::scale(a.lo, x.lo), internal::scale(a.hi, x.hi)}; }
SALA_INLINE F16 round_bf16(F16 a) { return {internal::to_bf16(a.lo), internal::to_bf16(a.hi)}; }
SALA_INLINE void store_array(float (&out)[kLanes], F16 a) { store(out, a); }
SALA_INLINE __m256 low_plus_high(F16 a) { return _mm256_add_ps(a.lo, a.hi); }

#else  // portable

struct F16 {
  float v[kLanes];
};
namespace internal {
template <class Lane>
SALA_INLINE F16 lanes(const Lane& lane) {
  F16 out;
  for (int i = 0; i < kLanes; ++i) out.v[i] = lane(i);
  return out;
}
}  // namespace internal
SALA_INLINE F16 load(const float* p) {
  F16 out;
  std::memcpy(out.v, p, sizeof(out.v));
  return out;
}
SALA_INLINE F16 load_first(const float* p, int n) {
  return internal::lanes([&](int i) { return i < n ? p[i] : 0.0f; });
}
SALA_INLINE void store(float* p, F16 a) { std::memcpy(p, a.v, sizeof(a.v)); }
SALA_INLINE void store_first(float* p, F16 a, int n) {
  for (int i = 0; i < n && i < kLanes; ++i) p[i] = a.v[i];
}
SALA_INLINE F16 set1(float x) {
  return internal::lanes([&](int) { return x; });
}
SALA_INLINE F16 add(F16 a, F16 b) {
  return internal::lanes([&](int i) { return a.v[i] + b.v[i]; });
}
SALA_INLINE F16 sub(F16 a, F16 b) {
  return internal::lanes([&](int i) { return a.v[i] - b.v[i]; });
}
SALA_INLINE F16 mul(F16 a, F16 b) {
  return internal::lanes([&](int i) { return a.v[i] * b.v[i]; });
}
SALA_INLINE F16 div(F16 a, F16 b) {
  return internal::lanes([&](int i) { return a.v[i] / b.v[i]; });
}
SALA_INLINE F16 fma(F16 a, F16 b, F16 c) {
  return internal::lanes([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
SALA_INLINE F16 max(F16 a, F16 b) {
  return internal::lanes([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
SALA_INLINE F16 min(F16 a, F16 b) {
  return internal::lanes([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
SALA_INLINE F16 where_greater(F16 x, F16 y, F16 a, F16 b) {
  return internal::lanes([&](int i) { return x.v[i] > y.v[i] ? a.v[i] : b.v[i]; });
}
SALA_INLINE F16 scale_by_power(F16 a, F16 x) {
  return internal::lanes([&](int i) {
    const uint32_t shift = x.v[i] == x.v[i] ? static_cast<uint32_t>(static_cast<int32_t>(x.v[i])) << 23 : 0;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(a.v[i]) + shift);
  });
}
SALA_INLINE F16 round_bf16(F16 a) {
  return internal::lanes([&](int i) {
    const uint32_t bits = std::bit_cast<uint32_t>(a.v[i]);
    const uint32_t up = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
    return a.v[i] != a.v[i] ? a.v[i] : std::bit_cast<float>(up);
  });
}
SALA_INLINE void store_array(float (&out)[kLanes], F16 a) { std::memcpy(out, a.v, sizeof(a.v)); }

#endif

// Sum of the lanes in one fixed tree: lane i + lane i+8, then +4, +2, +1.
SALA_INLINE float reduce_add(F16 a) {
#if defined(SALA_ISA_AVX2) || defined(SALA_ISA_AVX512)
  const __m256 eight = low_plus_high(a);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
#else
  float lane[kLanes];
  store_array(lane, a);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
#endif
}
SALA_INLINE float reduce_max(F16 a) {
  float lane[kLanes];
  store_array(lane, a);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  return lane[0];
}

// The value that a class of arithmetic keeps at a rounding point.
SALA_INLINE F16 rounded(Numerics numerics, F16 a) { return numerics == Numerics::kBf16 ? round_bf16(a) : a; }

// e^x by range reduction and a polynomial of degree 7, within 2 ulp. Below -87.33 it is 0 (no subnormals), above 88.37
// infinity, of NaN it is NaN.
SALA_INLINE F16 exp(F16 x) {
  const F16 lowest = set1(-87.33654f), highest = set1(88.37626f);
  const F16 inside = min(highest, max(lowest, x));  // in this order a NaN passes
  const F16 magic = set1(12582912.0f);              // 1.5 * 2^23: adding it rounds to the nearest integer
  const F16 n = sub(add(mul(inside, set1(1.44269504f)), magic), magic);
  F16 r = fma(n, set1(-0.693145752f), inside);
  r = fma(n, set1(-1.42860677e-6f), r);
  F16 p = set1(1.9875691500e-4f);  // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
  const F16 value = scale_by_power(p, n);
  return where_greater(lowest, x, set1(0.0f), where_greater(x, highest, set1(INFINITY), value));
}
// One lane of exp().
SALA_INLINE float exp1(float x) {
  float lane[kLanes];
  store_array(lane, exp(set1(x)));
  return lane[0];
}

}  // namespace sala::ops::SALA_ISA
