// Internal to the op: one row, and its definition.
#pragma once

#include <cstdint>

#include "sala/core/numerics.h"
#include "sim/ops/gather/gather.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

SALA_DECLARE_TILE(void embed_row(const float* row, float factor, Numerics numerics, float* out, int64_t n))

void embed_ref(const float* row, float factor, Numerics numerics, float* out, int64_t n);

}  // namespace sala::ops
