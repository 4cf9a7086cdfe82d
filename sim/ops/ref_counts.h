// The reference kernels with a counter of their multiply-adds, added to where they are done. Tests hold the closed forms of
// sala/model/cost.h against them; the fast kernels count nothing.
#pragma once

#include "sim/ops/attention/attention_tiles.h"
#include "sim/ops/lightning/lightning_tiles.h"
#include "sim/ops/linear/linear_tiles.h"
#include "sim/ops/select/select_tiles.h"

namespace sala::ops {

void linear_ref(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y, int64_t& multiply_adds);
void attend_ref(TensorView<const float, 2> q, const PackedKeys& keys, const ValueCache& values, int64_t position,
                int64_t block_size, TensorView<const int32_t, 2> blocks, float scale, Numerics numerics,
                TensorView<float, 2> o, int64_t& multiply_adds);
// Of scores alone: a choice is made by comparing.
void select_ref(TensorView<const float, 2> q, const PackedKeys& fine, const PackedKeys& coarse, int64_t position,
                const SelectParams& params, Numerics numerics, TensorView<int32_t, 2> blocks, TensorView<float, 2> scores,
                int64_t& multiply_adds);
void lightning_ref(const LightningTile& tile, int64_t& multiply_adds);

}  // namespace sala::ops
