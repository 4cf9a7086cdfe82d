// The arithmetic of simd-inl.h, one number at a time: the same operations in the same order, so the same bits. Compiled
// without contraction: a fused multiply-add is fmaf(), as on the CPU.
#pragma once

#include <cstdint>

#include "sala/core/numerics.h"
#include "sim/core/cuda.cuh"

namespace sala::ops::cuda {

using sala::cuda::launch;
using sala::cuda::Place;

inline constexpr int kLanes = 16;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline unsigned grid_of(int64_t blocks) { return static_cast<unsigned>(blocks); }

__device__ inline float round_bf16(float a) {
  const uint32_t bits = __float_as_uint(a);
  const uint32_t up = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  return a != a ? a : __uint_as_float(up);
}
__device__ inline float rounded(Numerics numerics, float a) { return numerics == Numerics::kBf16 ? round_bf16(a) : a; }

// e^x from x in range; n is x / ln(2) to the nearest integer.
__device__ inline float exp_inside(float inside) {
  const float magic = 12582912.0f, shifted = inside * 1.44269504f + magic;  // the lowest bits of `shifted` are those of n
  const float n = shifted - magic;
  float r = fmaf(n, -0.693145752f, inside);
  r = fmaf(n, -1.42860677e-6f, r);
  float p = 1.9875691500e-4f;
  p = fmaf(p, r, 1.3981999507e-3f);
  p = fmaf(p, r, 8.3334519073e-3f);
  p = fmaf(p, r, 4.1665795894e-2f);
  p = fmaf(p, r, 1.6666665459e-1f);
  p = fmaf(p, r, 5.0000001201e-1f);
  p = fmaf(p, r * r, r) + 1.0f;
  return p * __int_as_float((__float_as_int(shifted) << 23) + 0x3f800000);  // exact: neither factor is subnormal
}
constexpr float kExpLowest = -87.33654f, kExpHighest = 88.37626f;
__device__ inline float exp_below_88(float x) {
  const float value = exp_inside(kExpLowest > x ? kExpLowest : x);  // in this order a NaN passes
  return kExpLowest > x ? 0.0f : value;
}
__device__ inline float exp_any(float x) {
  const float raised = kExpLowest > x ? kExpLowest : x;
  const float value = exp_inside(kExpHighest < raised ? kExpHighest : raised);
  return kExpLowest > x ? 0.0f : x > kExpHighest ? __int_as_float(0x7f800000) : value;
}

// Sum over 16 neighbouring threads in the tree of reduce_add(); every one of them gets it.
__device__ inline float reduce_add16(float a) {
  for (int half = 8; half > 0; half /= 2) a += __shfl_down_sync(0xffffffffu, a, half, kLanes);
  return __shfl_sync(0xffffffffu, a, 0, kLanes);
}
__device__ inline float warp_max(float a) {
  for (int half = 16; half > 0; half /= 2) a = fmaxf(a, __shfl_xor_sync(0xffffffffu, a, half));
  return a;
}

// Four or sixteen bytes from global to shared memory, later; zeros where there is nothing.
template <int kBytes>
__device__ inline void copy_later(float* to, const float* from, bool exists = true) {
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared), "l"(from), "n"(kBytes),
               "r"(exists ? kBytes : 0)
               : "memory");
}
// What was to be copied so far is a group; all but the last kLeft groups of this thread have been copied.
__device__ inline void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kLeft>
__device__ inline void wait_for_groups() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}

// A state of a softmax that is merged with a later one (sala/core/online_softmax.h).
struct MergeWeights {
  float m, first, second;
};
__device__ inline MergeWeights merge_weights(float m1, float m2) {
  const float m = m1 > m2 ? m1 : m2;
  const float smaller = exp_below_88((m1 < m2 ? m1 : m2) - m);
  return {m, m2 > m1 ? smaller : 1.0f, m1 > m2 ? smaller : 1.0f};
}
__device__ inline float merge(float first, float second, const MergeWeights& weights) {
  return fmaf(second, weights.second, first * weights.first);
}

}  // namespace sala::ops::cuda
