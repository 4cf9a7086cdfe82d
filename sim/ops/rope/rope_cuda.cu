#include "sim/ops/cuda_math.cuh"
#include "sim/ops/exact_math.h"
#include "sim/ops/rope/rope_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 128;

// A block of threads a token.
__global__ void table_kernel(int64_t first, int half, const float* inv_freq, float factor, float* table) {
  const int64_t t = blockIdx.x;
  float *cos = table + t * 2 * half, *sin = cos + half;
  for (int d = threadIdx.x; d < half; d += kThreads) {
    const SinCos turn = sin_cos(static_cast<double>(static_cast<float>(first + t) * inv_freq[d]));
    cos[d] = static_cast<float>(turn.cos * static_cast<double>(factor));
    sin[d] = static_cast<float>(turn.sin * static_cast<double>(factor));
  }
}

__global__ void rotate_kernel(const float* table, int half, float* x, int pairs, int64_t row_stride, int64_t head_stride) {
  const int64_t t = blockIdx.x;
  const float *cos = table + t * 2 * half, *sin = cos + half;
  for (int i = threadIdx.x; i < pairs; i += kThreads) {
    const int d = i % half;
    float *first = x + t * row_stride + i / half * head_stride + d, *second = first + half;
    const float a = *first, b = *second;
    *first = a * cos[d] - b * sin[d];
    *second = b * cos[d] + a * sin[d];
  }
}

}  // namespace

void rope_table(int64_t first, int64_t rows, int64_t half, const float* inv_freq, float factor, float* table) {
  if (rows == 0) return;
  table_kernel<<<grid_of(rows), kThreads, 0, stream()>>>(first, static_cast<int>(half), inv_freq, factor, table);
  check_launch("RopeTable::prepare");
}

void apply_rope(const RopeTable& table, TensorView<float, 3> x) {
  if (x.size() == 0) return;
  const int64_t half = x.extent[2] / 2;
  rotate_kernel<<<grid_of(x.extent[0]), kThreads, 0, stream()>>>(
      table.cos(0), static_cast<int>(half), x.data, static_cast<int>(x.extent[1] * half), x.stride[0], x.stride[1]);
  check_launch("apply_rope");
}

}  // namespace sala::ops::cuda
