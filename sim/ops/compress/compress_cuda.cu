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

// A thread a number of a window.
struct Means {
  CompressInput in;
  int64_t kernel, stride;
  Numerics numerics;
  int64_t first, count;  // windows
  float* means;

  __device__ void operator()(const Place& place) const {
    const int64_t width = in.k.extent[1] * in.k.extent[2], at = int64_t{place.block.x} * kThreads + threadIdx.x;
    const int64_t window = at / width;
    if (window >= count) return;
    const int n = static_cast<int>(at - window * width);
    const int64_t begin = (first + window) * stride;
    float sum = 0;
    for (int64_t i = 0; i < kernel; ++i) sum += key_at(in, begin + i, n);
    means[at] = rounded(numerics, sum / static_cast<float>(kernel));
  }
};

// One thread moves a column: what it has not read yet lies behind what it has written.
struct Keep {
  CompressInput in;
  int64_t from;
  float* tail;

  __device__ void operator()(const Place& place) const {
    const int n = static_cast<int>(place.block.x) * kThreads + threadIdx.x;
    const int64_t width = in.k.extent[1] * in.k.extent[2];
    if (n >= width) return;
    const int64_t known = in.kept + in.k.extent[0];
    for (int64_t i = from; i < known; ++i) tail[(i - from) * width + n] = key_at(in, i, n);
  }
};

}  // namespace

void compress_means(const CompressInput& in, int64_t kernel, int64_t stride, Numerics numerics, int64_t first, int64_t count,
                    float* means) {
  const int64_t width = in.k.extent[1] * in.k.extent[2];
  launch<kThreads>("KeyCompressor::append", Means{in, kernel, stride, numerics, first, count, means},
                   grid_of(ceil_div(count * width, kThreads)));
}

void compress_keep(const CompressInput& in, int64_t from, float* tail) {
  launch<kThreads>("KeyCompressor::append", Keep{in, from, tail},
                   grid_of(ceil_div(in.k.extent[1] * in.k.extent[2], kThreads)));
}

}  // namespace sala::ops::cuda
