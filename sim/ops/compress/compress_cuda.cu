#include "sim/ops/compress/compress_tiles.h"
#include "sim/ops/cuda_math.cuh"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 128;

// Number n of key i; n counts over heads and dims.
__device__ float key_at(const CompressInput& in, int64_t i, int n) {
  const int dim = static_cast<int>(in.k.extent[2]);
  const int64_t width = in.k.extent[1] * dim;
  if (i < in.kept) return in.tail[i * width + n];
  return in.k.data[(i - in.kept) * in.k.stride[0] + n / dim * in.k.stride[1] + n % dim];
}

__global__ void means_kernel(CompressInput in, int64_t kernel, int64_t stride, Numerics numerics, int64_t first_window,
                             float* means) {
  const int64_t first = (first_window + blockIdx.x) * stride;
  const int width = static_cast<int>(in.k.extent[1] * in.k.extent[2]);
  for (int n = threadIdx.x; n < width; n += kThreads) {
    float sum = 0;
    for (int64_t i = 0; i < kernel; ++i) sum += key_at(in, first + i, n);
    means[int64_t{blockIdx.x} * width + n] = rounded(numerics, sum / static_cast<float>(kernel));
  }
}

// One thread moves a column: what it has not read yet lies behind what it has written.
__global__ void keep_kernel(CompressInput in, int64_t from, float* tail) {
  const int n = static_cast<int>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t width = in.k.extent[1] * in.k.extent[2];
  if (n >= width) return;
  const int64_t known = in.kept + in.k.extent[0];
  for (int64_t i = from; i < known; ++i) tail[(i - from) * width + n] = key_at(in, i, n);
}

}  // namespace

void compress_means(const CompressInput& in, int64_t kernel, int64_t stride, Numerics numerics, int64_t first, int64_t count,
                    float* means) {
  if (count == 0) return;
  means_kernel<<<grid_of(count), kThreads, 0, stream()>>>(in, kernel, stride, numerics, first, means);
  check_launch("KeyCompressor::append");
}

void compress_keep(const CompressInput& in, int64_t from, float* tail) {
  keep_kernel<<<grid_of(ceil_div(in.k.extent[1] * in.k.extent[2], kThreads)), kThreads, 0, stream()>>>(in, from, tail);
  check_launch("KeyCompressor::append");
}

}  // namespace sala::ops::cuda
