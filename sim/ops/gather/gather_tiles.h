// Internal to the op: one row, and its definition.
#pragma once

#include <cstdint>

#include "sala/core/numerics.h"
#include "sim/ops/gather/gather.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

SALA_DECLARE_TILE(void embed_row(const float* row, float factor, Numerics numerics, float* out, int64_t n))

void embed_ref(const float* row, float factor, Numerics numerics, float* out, int64_t n);

namespace cuda {
void embed(const Context& context, TensorView<const float, 2> table, std::span<const int32_t> ids, float factor,
           TensorView<float, 2> out);
void repeat_rows(TensorView<const float, 2> from, int64_t first, int64_t times, TensorView<float, 2> to);
void repeat_rows(TensorView<const int32_t, 2> from, int64_t first, int64_t times, TensorView<int32_t, 2> to);
}  // namespace cuda

}  // namespace sala::ops
