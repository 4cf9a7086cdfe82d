// What a head does with the keys that it reads.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sala::eval {

inline constexpr int64_t kStartTokens = 64;  // one block of the released model

// Half-open ranges of positions, ascending, disjoint.
using Ranges = std::vector<std::pair<int64_t, int64_t>>;

// Of n keys, those outside the evidence are the background.
struct AttentionFigures {
  double keys = 0;             // n
  double sink_mass = 0;        // attention on the first token of the sequence
  double start_mass = 0;       // ... on the first kStartTokens
  double evidence_mass = 0;    // ... on all evidence
  double evidence_logit = 0;   // largest logit among evidence; NaN when none is read
  double background_lse = 0;   // ln of the sum of exp(logit) over the background; NaN when it is empty, as the next two
  double background_mean = 0;  // mean and standard deviation of its logits
  double background_std = 0;
  double entropy = 0;  // of the attention, nats
};
AttentionFigures attention_figures(std::span<const int64_t> keys, std::span<const float> logits, const Ranges& evidence);

}  // namespace sala::eval
