#include <algorithm>

#include "sim/ops/context.h"
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/elementwise/elementwise_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kColumns = 32, kRows = 8;  // of a block of threads

// step(t, n) for every element.
template <class Step>
struct ForElements {
  int64_t rows, columns;
  Step step;

  __device__ void operator()(const Place& place) const {
    const int64_t t = int64_t{place.block.x} * kRows + threadIdx.x / kColumns;
    if (t >= rows) return;
    const int64_t across = int64_t{place.grid.y} * kColumns;
    for (int64_t n = int64_t{place.block.y} * kColumns + threadIdx.x % kColumns; n < columns; n += across) step(t, n);
  }
};

template <class Step>
void for_elements(const char* op, TensorView<const float, 2> shape, const Step& step) {
  const int64_t rows = shape.extent[0], columns = shape.extent[1];
  const int64_t across = rows > kRows ? std::min<int64_t>(1, columns) : std::min<int64_t>(1024, ceil_div(columns, kColumns));
  launch<kRows * kColumns>(op, ForElements<Step>{rows, columns, step},
                           dim3(grid_of(ceil_div(rows, kRows)), grid_of(across)));
}

__device__ float one_plus_exp_minus(float g) { return 1.0f + exp_any(0.0f - g); }

}  // namespace

void sigmoid_mul(Numerics numerics, TensorView<const float, 2> gate, TensorView<float, 2> x) {
  const float* g = gate.data;
  float* out = x.data;
  const int64_t g_stride = gate.stride[0], stride = x.stride[0];
  for_elements("sigmoid_mul", x, [=] __device__(int64_t t, int64_t n) {
    float& value = out[t * stride + n];
    const float divisor = one_plus_exp_minus(g[t * g_stride + n]);
    value = numerics == Numerics::kBf16 ? round_bf16(value * round_bf16(1.0f / divisor)) : value / divisor;
  });
}

void silu_mul(Numerics numerics, TensorView<const float, 2> gate, TensorView<const float, 2> up, TensorView<float, 2> out) {
  const float *g = gate.data, *u = up.data;
  float* to = out.data;
  const int64_t g_stride = gate.stride[0], u_stride = up.stride[0], stride = out.stride[0];
  for_elements("silu_mul", out, [=] __device__(int64_t t, int64_t n) {
    const float value = g[t * g_stride + n];
    to[t * stride + n] = rounded(numerics, rounded(numerics, value / one_plus_exp_minus(value)) * u[t * u_stride + n]);
  });
}

void add_scaled(Numerics numerics, TensorView<float, 2> h, TensorView<const float, 2> a, float r) {
  const float* from = a.data;
  float* to = h.data;
  const int64_t a_stride = a.stride[0], stride = h.stride[0];
  for_elements("add_scaled", h, [=] __device__(int64_t t, int64_t n) {
    const float value = from[t * a_stride + n];
    float& sum = to[t * stride + n];
    sum = numerics == Numerics::kBf16 ? round_bf16(round_bf16(r * value) + sum) : fmaf(r, value, sum);
  });
}

void scale(Numerics numerics, float factor, TensorView<float, 2> x) {
  float* out = x.data;
  const int64_t stride = x.stride[0];
  for_elements("scale", x, [=] __device__(int64_t t, int64_t n) {
    out[t * stride + n] = rounded(numerics, factor * out[t * stride + n]);
  });
}

void scale_rows(const Context& context, std::span<const float> factors, TensorView<float, 2> x) {
  const Workspace::Scope scope(context.workspace);
  float* const there = context.workspace.take<float>(factors.size()).data;
  context.device.copy(there, factors.data(), static_cast<int64_t>(factors.size_bytes()), Device::Copy::kFromHost);
  float* out = x.data;
  const int64_t stride = x.stride[0];
  const Numerics numerics = context.numerics;
  for_elements("scale_by_log", x, [=] __device__(int64_t t, int64_t n) {
    out[t * stride + n] = rounded(numerics, there[t] * out[t * stride + n]);
  });
}

void divide(Numerics numerics, float divisor, TensorView<float, 2> x) {
  float* out = x.data;
  const int64_t stride = x.stride[0];
  for_elements("divide", x, [=] __device__(int64_t t, int64_t n) {
    out[t * stride + n] = rounded(numerics, out[t * stride + n] / divisor);
  });
}

void mark_nonfinite(TensorView<const float, 2> x, int32_t mark, TensorView<int32_t, 1> found) {
  const float* from = x.data;
  int32_t* least = found.data;
  const int64_t stride = x.stride[0];
  for_elements("mark_nonfinite", x, [=] __device__(int64_t t, int64_t n) {
    if (!isfinite(from[t * stride + n])) atomicMin(least, mark);  // the least, in whatever order they come
  });
}

void round_bf16(TensorView<float, 2> x) {
  float* out = x.data;
  const int64_t stride = x.stride[0];
  for_elements("round_bf16", x, [=] __device__(int64_t t, int64_t n) {
    float& value = out[t * stride + n];
    value = round_bf16(value);
  });
}

}  // namespace sala::ops::cuda
