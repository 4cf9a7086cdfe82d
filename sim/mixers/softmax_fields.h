// The fields of config.json that softmax layers of all kinds share.
#pragma once

#include "sala/model/config.h"

namespace sala {

struct SoftmaxFields {
  bool attn_use_rope = false, attn_use_output_gate = false;
  bool attn_qk_norm = false;              // these three in sala_lab
  std::optional<double> attn_rope_theta;  // null = rope_theta
  LogitScaling attn_logits_scaling;
};

}  // namespace sala
