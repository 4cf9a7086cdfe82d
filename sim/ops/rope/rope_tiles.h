// Internal to the op: one token, and its definition.
#pragma once

#include <cstdint>

#include "sim/ops/rope/rope.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

// x: [heads, 2 half], heads `stride` apart; cos, sin: [half].
SALA_DECLARE_TILE(void rope_token(const float* cos, const float* sin, int64_t half, float* x, int64_t heads, int64_t stride))

void rope_token_ref(const float* cos, const float* sin, int64_t half, float* x, int64_t heads, int64_t stride);

namespace cuda {
// table: [rows, 2 half]; inv_freq: [half], both where the kernel reaches them.
void rope_table(int64_t first, int64_t rows, int64_t half, const float* inv_freq, float factor, float* table);
void apply_rope(const RopeTable& table, TensorView<float, 3> x);
}  // namespace cuda

}  // namespace sala::ops
