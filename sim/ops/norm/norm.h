// RMSNorm (spec section 2): plain weight, no bias, no mean.
#pragma once

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// x, y: [T, N] float32, rows may be strided; w: [N]; y may be x.
//   y[t] = w * (x[t] * rsqrt(mean(x[t]^2) + eps))
// bf16 class (the reference's rounding points): the normalised value is rounded to bfloat16, multiplied by w and rounded
// again. fp32 class: 16 partial sums of squares, lane n mod 16, added in one fixed tree. A row whose squares overflow
// becomes NaN, not 0 (`ref` adds in double and has room for them). Throws Error{kShape} when extents disagree. Cost: two
// passes over each row, no heap.
void rms_norm(const Context& context, TensorView<const float, 2> x, TensorView<const float, 1> w, float eps,
              TensorView<float, 2> y);

}  // namespace sala::ops
