// Sixteen threads a row, the lanes of the CPU's sum.
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/norm/norm_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 256, kRows = kThreads / kLanes;

__global__ void norm_kernel(const NormTile tile) {
  const int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kLanes;
  const int lane = threadIdx.x % kLanes;
  const bool exists = row < tile.rows;
  const float* x = tile.x + (exists ? row : 0) * tile.x_stride;
  float sum = 0;
  for (int64_t n = lane; n < tile.N; n += kLanes) sum = fmaf(x[n], x[n], sum);
  const float squares = reduce_add16(sum);
  if (!exists) return;
  const float mean = squares / static_cast<float>(tile.N) + tile.eps;
  const float factor = mean < INFINITY ? 1.0f / sqrtf(mean) : NAN;
  float* y = tile.y + row * tile.y_stride;
  for (int64_t n = lane; n < tile.N; n += kLanes)
    y[n] = rounded(tile.numerics, rounded(tile.numerics, x[n] * factor) * tile.w[n]);
}

}  // namespace

void norm(const NormTile& tile) {
  if (tile.rows == 0) return;
  norm_kernel<<<grid_of(ceil_div(tile.rows, kRows)), kThreads, 0, stream()>>>(tile);
  check_launch("rms_norm");
}

}  // namespace sala::ops::cuda
