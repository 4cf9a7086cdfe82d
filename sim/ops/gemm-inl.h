// The inner loop of every matrix product here. Included by *_cpu.cc only.
#pragma once

#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {

// sum[r][v] += sum over k ascending of x[r][k] * b[k][v], one chain of fused multiply-adds per lane.
//   x: [R, depth], rows x_stride apart; b[k][v]: 16 floats at b + k * b_stride + v * v_stride
template <int R, int NV>
SALA_INLINE void accumulate(const float* x, int64_t x_stride, const float* b, int64_t b_stride, int64_t v_stride,
                            int64_t depth, F16 (&sum)[R][NV]) {
  for (int64_t k = 0; k < depth; ++k) {
    F16 w[NV];
    for (int v = 0; v < NV; ++v) w[v] = load(b + k * b_stride + v * v_stride);
    for (int r = 0; r < R; ++r) {
      const F16 a = set1(x[r * x_stride + k]);
      for (int v = 0; v < NV; ++v) sum[r][v] = fma(a, w[v], sum[r][v]);
    }
  }
}

// The same of one vector per row, of which only the first n lanes of b exist.
template <int R>
SALA_INLINE void accumulate_first(const float* x, int64_t x_stride, const float* b, int64_t b_stride, int n, int64_t depth,
                                  F16 (&sum)[R][1]) {
  for (int64_t k = 0; k < depth; ++k) {
    const F16 w = load_first(b + k * b_stride, n);
    for (int r = 0; r < R; ++r) sum[r][0] = fma(set1(x[r * x_stride + k]), w, sum[r][0]);
  }
}

template <int R, int NV>
SALA_INLINE void clear(F16 (&sum)[R][NV]) {
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) sum[r][v] = set1(0.0f);
}

}  // namespace sala::ops::SALA_ISA
