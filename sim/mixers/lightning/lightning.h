// Inside the folder: what kind.cc needs of the mixer itself.
#pragma once

#include "sim/mixers/mixer.h"

namespace sala {

std::vector<TensorSpec> lightning_tensors(const ModelConfig& config);
std::unique_ptr<Mixer> make_lightning(const ModelConfig& config, int layer, const LayerTensors* tensors);

}  // namespace sala
