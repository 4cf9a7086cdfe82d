// Steps that touch each element once: gates, residual adds, scaling, rounding, checks (spec section 2). All views are [T, N]
// float32; rows may be strided. In the bf16 class every product, quotient and sum below is rounded to bfloat16, as the
// reference does. Throws Error{kShape} when extents disagree. Cost: one pass over memory, no scratch memory but for the
// factors of scale_by_log() on another device than the CPU.
#pragma once

#include <cstdint>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// x = x * sigmoid(gate), sigmoid(g) = 1 / (1 + exp(-g)); in the fp32 class x / (1 + exp(-g)).
void sigmoid_mul(const Context& context, TensorView<const float, 2> gate, TensorView<float, 2> x);
// out = silu(gate) * up, silu(g) = g / (1 + exp(-g)). out may be gate or up.
void silu_mul(const Context& context, TensorView<const float, 2> gate, TensorView<const float, 2> up,
              TensorView<float, 2> out);
// h = h + r * a; in the fp32 class with one rounding.
void add_scaled(const Context& context, TensorView<float, 2> h, TensorView<const float, 2> a, float r);
// x = factor * x.
void scale(const Context& context, float factor, TensorView<float, 2> x);
// x[t] = f * x[t] with f = ln(first + t + a) / ln(a) in double, rounded to float32 (HypeNet's factor of a query at position
// first + t, spec section 5). Throws Error{kConfig} unless a > 1 and first >= 0.
void scale_by_log(const Context& context, double a, int64_t first, TensorView<float, 2> x);
// x = x / divisor.
void divide(const Context& context, float divisor, TensorView<float, 2> x);
// found[0] = the lesser of itself and `mark` when x holds a NaN or an infinity. found: [1] on the device, so that many
// checks cost one copy to the host.
void mark_nonfinite(const Context& context, TensorView<const float, 2> x, int32_t mark, TensorView<int32_t, 1> found);
// x to the nearest bfloat16, ties to even, kept as float32, in every class. NaN stays NaN.
void round_bf16(const Context& context, TensorView<float, 2> x);

}  // namespace sala::ops
