// What a model costs, counted from its config alone (spec 9.4).
#pragma once

#include <cstdint>
#include <vector>

#include "sala/model/amounts.h"
#include "sala/model/config.h"

namespace sala {

// Items: "projections+FFN" (gates included), those of the mixers (block scores, attention, recurrence), "head".
// Prefill of `tokens` tokens; the head is computed for the last one only.
Flops prefill_cost(const ModelConfig& config, int64_t tokens);
// What a session does of it when only the last token's logits are read (SessionOptions::prune): the last layer computes
// keys, values and state of every token, and its queries, output and FFN for the last one alone.
Flops pruned_prefill_cost(const ModelConfig& config, int64_t tokens);
// One more token when `tokens` are in the sequence, this one included.
Flops decode_cost(const ModelConfig& config, int64_t tokens);

// One layer, its FFN included.
struct LayerCost {
  double prefill_flops = 0;  // of `tokens` tokens
  double decode_flops = 0;   // of the last of `tokens` tokens
  int64_t state_bytes = 0;   // with room for `tokens`
};
std::vector<LayerCost> layer_costs(const ModelConfig& config, int64_t tokens);

}  // namespace sala
