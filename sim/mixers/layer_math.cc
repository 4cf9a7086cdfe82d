#include "sim/mixers/layer_math.h"

#include <algorithm>

#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/norm/norm.h"

namespace sala {
namespace {

constexpr int64_t kRowsPerTile = 16;

// body(row) for every row, in fixed tiles.
template <class Body>
void for_rows(const ops::Context& context, int64_t rows, const Body& body) {
  context.pool.run((rows + kRowsPerTile - 1) / kRowsPerTile, [&](int64_t tile, int) {
    for (int64_t t = tile * kRowsPerTile; t < std::min(rows, (tile + 1) * kRowsPerTile); ++t) body(t);
  });
}

TensorView<float, 2> ones_like(const ops::Context& context, TensorView<const float, 2> x) {
  const auto ones = context.workspace.take<float>(x.extent[0], x.extent[1]);
  std::fill_n(ones.data, ones.size(), 1.0f);
  return ones;
}

}  // namespace

TensorView<float, 2> flatten_heads(TensorView<float, 3> x) {
  return make_view(x.data, x.extent[0], x.extent[1] * x.extent[2]);
}
TensorView<float, 2> flatten_rows(TensorView<float, 3> x) {
  return make_view(x.data, x.extent[0] * x.extent[1], x.extent[2]);
}

void round_if(const ops::Context& context, TensorView<float, 2> x) {
  if (context.bf16()) ops::round_bf16(context, x);
}

void project(const ops::Context& context, TensorView<const float, 2> x, const ops::PackedMatrix& weight,
             TensorView<float, 2> y) {
  ops::linear(context, x, weight, y);
  round_if(context, y);
}

void norm_heads(const ops::Context& context, TensorView<const float, 1> weight, float eps, TensorView<float, 3> x) {
  const TensorView<float, 2> rows = flatten_rows(x);
  ops::rms_norm(context, rows, weight, eps, rows);
}

void multiply(const ops::Context& context, TensorView<const float, 2> y, TensorView<float, 2> x) {
  for_rows(context, x.extent[0], [&](int64_t t) {
    const auto from = y[t];
    const auto to = x[t];
    for (int64_t i = 0; i < to.extent[0]; ++i) to.data[i] *= from.data[i];
  });
}

void gate_in_place(const ops::Context& context, TensorView<const float, 2> gate, TensorView<float, 2> x) {
  if (!context.bf16()) return ops::sigmoid_mul(context, gate, x);
  const Workspace::Scope scope(context.workspace);
  const TensorView<float, 2> open = ones_like(context, gate);
  ops::sigmoid_mul(context, gate, open);
  ops::round_bf16(context, open);
  multiply(context, open, x);
  ops::round_bf16(context, x);
}

void swiglu_in_place(const ops::Context& context, TensorView<float, 2> gate, TensorView<const float, 2> up) {
  if (!context.bf16()) return ops::silu_mul(context, gate, up, gate);
  const Workspace::Scope scope(context.workspace);
  const TensorView<float, 2> ones = ones_like(context, gate);
  ops::silu_mul(context, gate, ones, gate);
  ops::round_bf16(context, gate);
  multiply(context, up, gate);
  ops::round_bf16(context, gate);
}

void add_residual(const ops::Context& context, float r, TensorView<float, 2> a, TensorView<float, 2> h) {
  if (!context.bf16()) return ops::add_scaled(context, h, a, r);
  ops::scale(context, a, r);
  ops::round_bf16(context, a);
  ops::add_scaled(context, h, a, 1.0f);
  ops::round_bf16(context, h);
}

int64_t windows_within(int64_t tokens, int64_t kernel, int64_t stride) {
  return tokens < kernel ? 0 : (tokens - kernel) / stride + 1;
}

double sum_of_windows(int64_t tokens, int64_t kernel, int64_t stride) {
  if (tokens < kernel) return 0;
  // Sum over x = 0..m of floor(x / stride) + 1 with m = tokens - kernel.
  const int64_t m = tokens - kernel, q = m / stride;
  return static_cast<double>(m + 1) + static_cast<double>(stride) * static_cast<double>(q) * static_cast<double>(q - 1) / 2 +
         static_cast<double>(q) * static_cast<double>(m - q * stride + 1);
}

}  // namespace sala
