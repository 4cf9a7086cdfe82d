#include "sim/ops/cuda_math.cuh"
#include "sim/ops/packed_keys/packed_keys_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kPanel = static_cast<int>(PackedKeys::kPanel);

// A block of threads a panel; neighbouring threads write neighbouring keys.
struct AppendKeys {
  TensorView<const float, 3> k;
  int64_t size, head_stride;
  float* to;

  __device__ void operator()(const Place& place) const {
    const int64_t dim = k.extent[2], panel = size / kPanel + place.block.x, head = place.block.y;
    float* const out = to + head * head_stride + panel * dim * kPanel;
    for (int i = threadIdx.x; i < dim * kPanel; i += kThreads) {
      const int64_t row = panel * kPanel + i % kPanel - size;
      if (row >= 0 && row < k.extent[0]) out[i] = k.data[row * k.stride[0] + head * k.stride[1] + i / kPanel];
    }
  }
};

// A thread a number.
struct AppendValues {
  TensorView<const float, 3> v;
  int64_t size, head_stride;
  float* to;

  __device__ void operator()(const Place& place) const {
    const int64_t dim = v.extent[2], i = int64_t{place.block.x} * kThreads + threadIdx.x, row = i / dim, d = i - row * dim;
    const int64_t head = place.block.y;
    if (row >= v.extent[0]) return;
    to[head * head_stride + (size + row) * dim + d] = v.data[row * v.stride[0] + head * v.stride[1] + d];
  }
};

}  // namespace

void append_keys(TensorView<const float, 3> k, int64_t size, int64_t head_stride, float* to) {
  if (k.extent[0] == 0) return;
  const int64_t panels = (size + k.extent[0] - 1) / kPanel - size / kPanel + 1;
  launch<kThreads>("PackedKeys::append", AppendKeys{k, size, head_stride, to}, dim3(grid_of(panels), grid_of(k.extent[1])));
}

void append_values(TensorView<const float, 3> v, int64_t size, int64_t head_stride, float* to) {
  launch<kThreads>("ValueCache::append", AppendValues{v, size, head_stride, to},
                   dim3(grid_of(ceil_div(v.extent[0] * v.extent[2], kThreads)), grid_of(v.extent[1])));
}

}  // namespace sala::ops::cuda
