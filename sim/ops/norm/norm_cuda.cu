// Sixteen threads a row, the lanes of the CPU's sum.
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/norm/norm_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 256, kRows = kThreads / kLanes;

struct Norm {
  NormTile tile;

  __device__ void operator()(const Place& place) const {
    const int64_t row = int64_t{place.block.x} * kRows + threadIdx.x / kLanes;
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
};

}  // namespace

void norm(const NormTile& tile) { launch<kThreads>("rms_norm", Norm{tile}, grid_of(ceil_div(tile.rows, kRows))); }

}  // namespace sala::ops::cuda
