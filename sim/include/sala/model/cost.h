// What a model costs, counted from its config alone (spec 9.4).
#pragma once

#include <cstdint>
#include <vector>

#include "sala/model/config.h"

namespace sala {

// Multiplications and additions. linear: projections, gates, FFN; selection: block scores; mixing: attention and recurrence.
struct ModelCost {
  double linear_flops = 0, selection_flops = 0, softmax_flops = 0, lightning_flops = 0, head_flops = 0;
  double total_flops() const { return linear_flops + selection_flops + softmax_flops + lightning_flops + head_flops; }
};

// Prefill of `tokens` tokens; the head is computed for the last one only.
ModelCost prefill_cost(const ModelConfig& config, int64_t tokens);
// One more token when `tokens` are in the sequence, this one included.
ModelCost decode_cost(const ModelConfig& config, int64_t tokens);

// One layer, its FFN included.
struct LayerCost {
  double prefill_flops = 0;  // of `tokens` tokens
  double decode_flops = 0;   // of the last of `tokens` tokens
  int64_t state_bytes = 0;   // with room for `tokens`
};
std::vector<LayerCost> layer_costs(const ModelConfig& config, int64_t tokens);

}  // namespace sala
