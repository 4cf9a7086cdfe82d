#include "sim/ops/context.h"
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/gather/gather_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 128;

struct Embed {
  const float* table;
  const int32_t* ids;
  float factor;
  Numerics numerics;
  float* out;
  int64_t stride, columns;

  __device__ void operator()(const Place& place) const {
    const int64_t t = place.block.x;
    const float* row = table + ids[t] * columns;
    for (int64_t n = threadIdx.x; n < columns; n += kThreads) out[t * stride + n] = rounded(numerics, factor * row[n]);
  }
};

template <class T>
struct Repeat {
  const T* from;
  int64_t from_stride, first, times;
  T* to;
  int64_t to_stride, columns;

  __device__ void operator()(const Place& place) const {
    const int64_t r = place.block.x;
    const T* row = from + (first + r) / times * from_stride;
    for (int64_t n = threadIdx.x; n < columns; n += kThreads) to[r * to_stride + n] = row[n];
  }
};

template <class T>
void repeat(TensorView<const T, 2> from, int64_t first, int64_t times, TensorView<T, 2> to) {
  launch<kThreads>("repeat_rows", Repeat<T>{from.data, from.stride[0], first, times, to.data, to.stride[0], to.extent[1]},
                   grid_of(to.extent[0]));
}

}  // namespace

void embed(const Context& context, TensorView<const float, 2> table, std::span<const int32_t> ids, float factor,
           TensorView<float, 2> out) {
  const Workspace::Scope scope(context.workspace);
  const auto there = context.workspace.take<int32_t>(ids.size());
  context.device.copy(there.data, ids.data(), static_cast<int64_t>(ids.size_bytes()), Device::Copy::kFromHost);
  launch<kThreads>("embed", Embed{table.data, there.data, factor, context.numerics, out.data, out.stride[0], out.extent[1]},
                   grid_of(out.extent[0]));
}

void repeat_rows(TensorView<const float, 2> from, int64_t first, int64_t times, TensorView<float, 2> to) {
  repeat(from, first, times, to);
}

void repeat_rows(TensorView<const int32_t, 2> from, int64_t first, int64_t times, TensorView<int32_t, 2> to) {
  repeat(from, first, times, to);
}

}  // namespace sala::ops::cuda
