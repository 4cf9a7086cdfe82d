// Internal to the op: the state of a row of attention, and what a warp does with it.
#pragma once

#include "sim/ops/cuda_math.cuh"

namespace sala::ops::cuda {

inline constexpr int kWarp = 32;

// The state of a row in shared memory, or in a state that was put aside.
struct Row {
  float *m, *l, *o;
};
struct States {
  float* memory;
  int rows, value_dim;
  __device__ Row operator[](int row) const {
    return {memory + row, memory + rows + row * kLanes, memory + rows * (1 + kLanes) + row * value_dim};
  }
};

__device__ inline void start_row(const Row& row, int lane, int value_dim) {
  if (lane == 0) *row.m = -INFINITY;
  if (lane < kLanes) row.l[lane] = 0.0f;
  for (int d = lane; d < value_dim; d += kWarp) row.o[d] = 0.0f;
}

// to = merge(to, later), by a warp.
__device__ inline void merge_row(const Row& later, const Row& to, int lane, int value_dim) {
  const float m1 = *to.m, m2 = *later.m;
  const MergeWeights weights = merge_weights(m1, m2);
  __syncwarp();
  if (lane == 0) *to.m = weights.m;
  if (lane < kLanes) to.l[lane] = merge(to.l[lane], later.l[lane], weights);
  for (int d = lane; d < value_dim; d += kWarp) to.o[d] = merge(to.o[d], later.o[d], weights);
}

// out = o / l; zeros where nothing was read. + 0 turns a -0 into 0.
__device__ inline void finish_row(const Row& row, int lane, int value_dim, float* out) {
  const float sum = reduce_add16(row.l[lane % kLanes]);
  const float divisor = sum > 0 ? sum : 1.0f;
  for (int d = lane; d < value_dim; d += kWarp) out[d] = row.o[d] / divisor + 0.0f;
}

}  // namespace sala::ops::cuda
