// Internal to the op: its tile kernel and its definition.
#pragma once

#include <cstdint>

#include "sim/ops/lightning/lightning.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

// Decays of one head. Row i of the scores is multiplied by to_query + 63 - i: exp(-s (i-j)) at j, 0 after the diagonal.
struct Decays {
  float power[LightningState::kChunk + 1];     // exp(-s i)
  float to_query[2 * LightningState::kChunk];  // exp(-s (63-i)) for i < 64, then zeros
};

// T tokens of one head.
struct LightningTile {
  float *sum = nullptr, *keys = nullptr, *values = nullptr;  // [D, Dv], [D, 64], [64, Dv]
  int64_t buffered = 0;                                      // tokens in keys and values
  int64_t T = 0, D = 0, Dv = 0;
  const float *q = nullptr, *k = nullptr, *v = nullptr;  // q may be null: the state only
  float* o = nullptr;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0, o_stride = 0;  // between tokens
  float slope = 0, scale = 0;
  const Decays* decays = nullptr;
};

SALA_DECLARE_TILE(void lightning_tile(const LightningTile& tile))

void lightning_ref(const LightningTile& tile);

// A call of all heads; q and o have no data where only the state is wanted.
struct LightningRows {
  float* memory = nullptr;  // of head 0; a head: sum [D, Dv], buffered keys [D, 64], buffered values [64, Dv]
  int64_t head_size = 0;
  int64_t buffered = 0;
  int64_t T = 0, H = 0, D = 0, Dv = 0;
  TensorView<const float, 3> q, k, v;
  TensorView<float, 3> o;
  float scale = 0;
};

namespace cuda {
void lightning(const Context& context, std::span<const float> slopes, const LightningRows& rows);
}

}  // namespace sala::ops
