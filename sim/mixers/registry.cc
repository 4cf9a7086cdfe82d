#include "sala/core/error.h"
#include "sim/mixers/kinds.h"
#include "sim/mixers/softmax_layer.h"

namespace sala {

const std::vector<MixerKind>& mixer_kinds() {
  static const std::vector<MixerKind> kinds = {
      {"minicpm4", "InfLLM-V2: block-sparse softmax attention, dense below dense_len", "arXiv:2509.24663", true, 'S',
       check_infllm_v2, softmax_layer_tensors, make_infllm_v2},
      {"lightning-attn", "Lightning: linear attention with a fixed decay per head", "arXiv:2405.17381", false, 'L',
       check_lightning, lightning_tensors, make_lightning},
      {"full-attn", "dense causal softmax attention with grouped KV heads", "arXiv:2305.13245", true, 'F',
       check_softmax_layer, softmax_layer_tensors, make_full_attention},
  };
  return kinds;
}

const MixerKind& find_mixer(const std::string& name) {
  std::string known;
  for (const MixerKind& kind : mixer_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw Error(ErrorCode::kConfig, "mixer_types names '{}', which does not exist; there are {}", name, known);
}

}  // namespace sala
