#include "sim/ops/elementwise/elementwise.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/elementwise/elementwise_tiles.h"
#include "sim/ops/exact_math.h"
#include "sim/ops/row_tiles.h"

namespace sala::ops {
namespace {

void check_same(const char* op, const char* name, TensorView<const float, 2> a, const char* other,
                TensorView<const float, 2> b) {
  if (a.extent != b.extent)
    throw Error(ErrorCode::kShape, "{}: {} is [{}, {}], {} is [{}, {}]", op, name, a.extent[0], a.extent[1], other,
                b.extent[0], b.extent[1]);
}

// The definition is serial.
template <class Body>
void for_rows(const Context& context, TensorView<const float, 2> shape, const Body& body) {
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) body(t);
  };
  if (context.is_ref()) return run(0, shape.extent[0]);
  for_row_tiles(context.pool, shape.extent[0], shape.extent[1], run);
}

}  // namespace

void sigmoid_mul(const Context& context, TensorView<const float, 2> gate, TensorView<float, 2> x) {
  check_same("sigmoid_mul", "gate", gate, "x", x);
  SALA_ON_CUDA(context, sigmoid_mul(context.numerics, gate, x));
  const auto run = context.is_ref() ? &sigmoid_mul_ref : SALA_TILE(context, sigmoid_mul_row);
  for_rows(context, x, [&](int64_t t) { run(gate[t].data, x[t].data, context.numerics, x.extent[1]); });
}

void silu_mul(const Context& context, TensorView<const float, 2> gate, TensorView<const float, 2> up,
              TensorView<float, 2> out) {
  check_same("silu_mul", "gate", gate, "out", out);
  check_same("silu_mul", "up", up, "out", out);
  SALA_ON_CUDA(context, silu_mul(context.numerics, gate, up, out));
  const auto run = context.is_ref() ? &silu_mul_ref : SALA_TILE(context, silu_mul_row);
  for_rows(context, out, [&](int64_t t) { run(gate[t].data, up[t].data, out[t].data, context.numerics, out.extent[1]); });
}

void add_scaled(const Context& context, TensorView<float, 2> h, TensorView<const float, 2> a, float r) {
  check_same("add_scaled", "a", a, "h", h);
  SALA_ON_CUDA(context, add_scaled(context.numerics, h, a, r));
  const auto run = context.is_ref() ? &add_scaled_ref : SALA_TILE(context, add_scaled_row);
  for_rows(context, h, [&](int64_t t) { run(h[t].data, a[t].data, r, context.numerics, h.extent[1]); });
}

void scale(const Context& context, float factor, TensorView<float, 2> x) {
  SALA_ON_CUDA(context, scale(context.numerics, factor, x));
  const auto run = context.is_ref() ? &scale_ref : SALA_TILE(context, scale_row);
  for_rows(context, x, [&](int64_t t) { run(x[t].data, factor, context.numerics, x.extent[1]); });
}

void scale_by_log(const Context& context, double a, int64_t first, TensorView<float, 2> x) {
  if (!(a > 1) || first < 0)
    throw Error(ErrorCode::kConfig, "scale_by_log: a is {} and the first position {}, expected above 1 and at least 0", a,
                first);
  const auto factor = [&](int64_t t) {
    return static_cast<float>(log_exact(static_cast<double>(first + t) + a) / log_exact(a));
  };
  if (context.on_cuda()) {
    std::vector<float> factors;
    for (int64_t t = 0; t < x.extent[0]; ++t) factors.push_back(factor(t));
    SALA_ON_CUDA(context, scale_rows(context, factors, x));
  }
  const auto run = context.is_ref() ? &scale_ref : SALA_TILE(context, scale_row);
  for_rows(context, x, [&](int64_t t) { run(x[t].data, factor(t), context.numerics, x.extent[1]); });
}

void divide(const Context& context, float divisor, TensorView<float, 2> x) {
  SALA_ON_CUDA(context, divide(context.numerics, divisor, x));
  const auto run = context.is_ref() ? &divide_ref : SALA_TILE(context, divide_row);
  for_rows(context, x, [&](int64_t t) { run(x[t].data, divisor, context.numerics, x.extent[1]); });
}

void round_bf16(const Context& context, TensorView<float, 2> x) {
  SALA_ON_CUDA(context, round_bf16(x));
  const auto run = context.is_ref() ? &round_bf16_ref : SALA_TILE(context, round_bf16_row);
  for_rows(context, x, [&](int64_t t) { run(x[t].data, x.extent[1]); });
}

void mark_nonfinite(const Context& context, TensorView<const float, 2> x, int32_t mark, TensorView<int32_t, 1> found) {
  SALA_ON_CUDA(context, mark_nonfinite(x, mark, found));
  const auto finite = context.is_ref() ? &finite_ref : SALA_TILE(context, finite_row);
  std::atomic<bool> all{true};
  for_rows(context, x, [&](int64_t t) {
    if (!finite(x[t].data, x.extent[1])) all = false;
  });
  if (!all) found[0] = std::min(found[0], mark);
}

}  // namespace sala::ops
