// Steps that touch each element once: gates, residual adds, rounding (spec section 2). All views are [T, N] float32; rows
// may be strided. Throws Error{kShape} when extents disagree. Cost: one pass over memory, no heap.
#pragma once

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// x = x * sigmoid(gate), sigmoid(g) = 1 / (1 + exp(-g)).
void sigmoid_mul(const Context& context, TensorView<const float, 2> gate, TensorView<float, 2> x);
// out = silu(gate) * up, silu(g) = g / (1 + exp(-g)). out may be gate or up.
void silu_mul(const Context& context, TensorView<const float, 2> gate, TensorView<const float, 2> up,
              TensorView<float, 2> out);
// h = h + r * a with one rounding.
void add_scaled(const Context& context, TensorView<float, 2> h, TensorView<const float, 2> a, float r);
// x = factor * x.
void scale(const Context& context, TensorView<float, 2> x, float factor);
// x to the nearest bfloat16, ties to even, kept as float32. NaN stays NaN.
void round_bf16(const Context& context, TensorView<float, 2> x);

}  // namespace sala::ops
