// Inside the folder: what kind.cc needs of the mixer itself.
#pragma once

#include "sim/mixers/mixer.h"

namespace sala {

std::unique_ptr<Mixer> make_infllm_v2(const ModelConfig& config, int layer, const LayerTensors* tensors);

}  // namespace sala
