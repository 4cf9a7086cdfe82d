#include "sim/mixers/layer_math.h"

#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/norm/norm.h"

namespace sala {

std::vector<TensorSpec> projection_tensors(int64_t E, const LayerShape& shape, const char* gate, bool qk_norm) {
  const int64_t width = shape.heads * shape.head_dim, kv_width = shape.kv_heads * shape.head_dim;
  std::vector<TensorSpec> specs{{kQ, {width, E}}, {kK, {kv_width, E}}, {kV, {kv_width, E}}, {kO, {E, width}}};
  if (gate != nullptr) specs.push_back({gate, {width, E}});
  if (qk_norm) {
    specs.push_back({kQNorm, {shape.head_dim}});
    specs.push_back({kKNorm, {shape.head_dim}});
  }
  return specs;
}

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
