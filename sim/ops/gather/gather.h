// Rows picked from tables. Ids and counts are host memory; throws Error{kShape} when extents disagree. Scratch memory: none
// on the CPU, embed_scratch_bytes() on another device.
#pragma once

#include <cstdint>
#include <span>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;
struct Workers;

// out[t] = factor * table[ids[t]], rounded to bfloat16 in the bf16 class (spec section 2). table: [V, E]; out: [T, E].
// Throws Error{kShape} also for an id outside the table.
void embed(const Context& context, TensorView<const float, 2> table, std::span<const int32_t> ids, float factor,
           TensorView<float, 2> out);

// What embed() takes from the workspace: a copy of the ids.
int64_t embed_scratch_bytes(int64_t rows, const Workers& workers);

// to[r] = from[(first + r) / times]: every row `times` times, the first of them without its first `first` copies.
//   from: [N, W]; to: [R, W] with first + R <= N * times; rows may be strided.
void repeat_rows(const Context& context, TensorView<const float, 2> from, int64_t first, int64_t times,
                 TensorView<float, 2> to);
void repeat_rows(const Context& context, TensorView<const int32_t, 2> from, int64_t first, int64_t times,
                 TensorView<int32_t, 2> to);

}  // namespace sala::ops
