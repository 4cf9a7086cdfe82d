// Internal to the op: one token, and its definition.
#pragma once

#include <cstdint>

#include "sim/ops/rope/rope.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

// x: [heads, 2 half], heads `stride` apart; cos, sin: [half].
SALA_DECLARE_TILE(void rope_token(const float* cos, const float* sin, int64_t half, float* x, int64_t heads, int64_t stride))

void rope_token_ref(const float* cos, const float* sin, int64_t half, float* x, int64_t heads, int64_t stride);

}  // namespace sala::ops
