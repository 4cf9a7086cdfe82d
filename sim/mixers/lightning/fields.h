// The fields of config.json that are lightning-attn's own.
#pragma once

#include "sala/model/config.h"

namespace sala {

struct LightningFields {
  int64_t lightning_nh = 0, lightning_nkv = 0, lightning_head_dim = 0;
  std::string lightning_scale = "1/sqrt(d)";
  bool lightning_use_rope = true, qk_norm = true, use_output_norm = true, use_output_gate = true;
  // These two in sala_lab. [lightning_nh], or layer by layer [num_hidden_layers * lightning_nh]; empty = null = the released
  // rule (spec 3.3).
  std::vector<double> lightning_slopes;
  double decay_scale = 1;  // times every slope

  double scale() const;                            // spec 3.1
  std::vector<float> slopes(int64_t layer) const;  // [lightning_nh], spec 3.3, times decay_scale
};

// Released ALiBi slopes of `heads` heads (spec 3.3), also when heads is no power of two.
std::vector<float> alibi_slopes(int64_t heads);

}  // namespace sala
