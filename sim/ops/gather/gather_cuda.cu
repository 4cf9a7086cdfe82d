#include "sim/ops/context.h"
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/gather/gather_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void embed_kernel(const float* table, const int32_t* ids, float factor, Numerics numerics, float* out,
                             int64_t stride, int64_t columns) {
  const int64_t t = blockIdx.x;
  const float* row = table + ids[t] * columns;
  for (int64_t n = threadIdx.x; n < columns; n += kThreads) out[t * stride + n] = rounded(numerics, factor * row[n]);
}

template <class T>
__global__ void repeat_kernel(const T* from, int64_t from_stride, int64_t first, int64_t times, T* to, int64_t to_stride,
                              int64_t columns) {
  const int64_t r = blockIdx.x;
  const T* row = from + (first + r) / times * from_stride;
  for (int64_t n = threadIdx.x; n < columns; n += kThreads) to[r * to_stride + n] = row[n];
}

template <class T>
void repeat(TensorView<const T, 2> from, int64_t first, int64_t times, TensorView<T, 2> to) {
  if (to.size() == 0) return;
  repeat_kernel<<<grid_of(to.extent[0]), kThreads, 0, stream()>>>(from.data, from.stride[0], first, times, to.data,
                                                                  to.stride[0], to.extent[1]);
  check_launch("repeat_rows");
}

}  // namespace

void embed(const Context& context, TensorView<const float, 2> table, std::span<const int32_t> ids, float factor,
           TensorView<float, 2> out) {
  if (out.size() == 0) return;
  const Workspace::Scope scope(context.workspace);
  const auto there = context.workspace.take<int32_t>(ids.size());
  context.device.copy(there.data, ids.data(), static_cast<int64_t>(ids.size_bytes()), Device::Copy::kFromHost);
  embed_kernel<<<grid_of(out.extent[0]), kThreads, 0, stream()>>>(table.data, there.data, factor, context.numerics, out.data,
                                                                  out.stride[0], out.extent[1]);
  check_launch("embed");
}

void repeat_rows(TensorView<const float, 2> from, int64_t first, int64_t times, TensorView<float, 2> to) {
  repeat(from, first, times, to);
}

void repeat_rows(TensorView<const int32_t, 2> from, int64_t first, int64_t times, TensorView<int32_t, 2> to) {
  repeat(from, first, times, to);
}

}  // namespace sala::ops::cuda
