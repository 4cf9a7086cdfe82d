#include "sim/ops/cuda_math.cuh"
#include "sim/ops/packed_keys/packed_keys_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kPanel = static_cast<int>(PackedKeys::kPanel);

// A block of threads a panel; neighbouring threads write neighbouring keys.
__global__ void append_keys_kernel(TensorView<const float, 3> k, int64_t size, int64_t head_stride, float* to) {
  const int64_t dim = k.extent[2], panel = size / kPanel + blockIdx.x, head = blockIdx.y;
  float* const out = to + head * head_stride + panel * dim * kPanel;
  for (int i = threadIdx.x; i < dim * kPanel; i += kThreads) {
    const int64_t row = panel * kPanel + i % kPanel - size;
    if (row >= 0 && row < k.extent[0]) out[i] = k.data[row * k.stride[0] + head * k.stride[1] + i / kPanel];
  }
}

// A block of threads a key.
__global__ void append_values_kernel(TensorView<const float, 3> v, int64_t size, int64_t head_stride, float* to) {
  const int64_t row = blockIdx.x, head = blockIdx.y, dim = v.extent[2];
  const float* from = v.data + row * v.stride[0] + head * v.stride[1];
  for (int64_t d = threadIdx.x; d < dim; d += kThreads) to[head * head_stride + (size + row) * dim + d] = from[d];
}

}  // namespace

void append_keys(TensorView<const float, 3> k, int64_t size, int64_t head_stride, float* to) {
  if (k.extent[0] == 0) return;
  const int64_t panels = (size + k.extent[0] - 1) / kPanel - size / kPanel + 1;
  append_keys_kernel<<<dim3(grid_of(panels), grid_of(k.extent[1])), kThreads, 0, stream()>>>(k, size, head_stride, to);
  check_launch("PackedKeys::append");
}

void append_values(TensorView<const float, 3> v, int64_t size, int64_t head_stride, float* to) {
  if (v.extent[0] == 0) return;
  append_values_kernel<<<dim3(grid_of(v.extent[0]), grid_of(v.extent[1])), kThreads, 0, stream()>>>(v, size, head_stride,
                                                                                                    to);
  check_launch("ValueCache::append");
}

}  // namespace sala::ops::cuda
