// The makers that registry.cc lists; one line a mixer.
#pragma once

#include "sim/mixers/mixer.h"

namespace sala {

std::unique_ptr<Mixer> make_full_attention(const ModelConfig& config, int layer, const LayerTensors* tensors);

void check_infllm_v2(const ModelConfig& config);
std::unique_ptr<Mixer> make_infllm_v2(const ModelConfig& config, int layer, const LayerTensors* tensors);

void check_lightning(const ModelConfig& config);
std::vector<TensorSpec> lightning_tensors(const ModelConfig& config);
std::unique_ptr<Mixer> make_lightning(const ModelConfig& config, int layer, const LayerTensors* tensors);

}  // namespace sala
