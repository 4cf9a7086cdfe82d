// Rows picked from tables. Ids and counts are host memory; throws Error{kShape} when extents disagree. No scratch memory.
#pragma once

#include <cstdint>
#include <span>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// out[t] = factor * table[ids[t]], rounded to bfloat16 in the bf16 class (spec section 2). table: [V, E]; out: [T, E].
// Throws Error{kShape} also for an id outside the table.
void embed(const Context& context, TensorView<const float, 2> table, std::span<const int32_t> ids, float factor,
           TensorView<float, 2> out);

// to[r] = from[(first + r) / times]: every row `times` times, the first of them without its first `first` copies.
//   from: [N, W]; to: [R, W] with first + R <= N * times; rows may be strided.
void repeat_rows(const Context& context, TensorView<const float, 2> from, int64_t first, int64_t times,
                 TensorView<float, 2> to);
void repeat_rows(const Context& context, TensorView<const int32_t, 2> from, int64_t first, int64_t times,
                 TensorView<int32_t, 2> to);

}  // namespace sala::ops
