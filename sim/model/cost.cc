#include "sala/model/cost.h"

#include <map>

#include "sim/mixers/mixer.h"

namespace sala {
namespace {

// Sum over layers; layers with the same mixer cost the same.
template <class CostOf>
ModelCost sum_layers(const ModelConfig& config, double tokens, const CostOf& cost_of) {
  ModelCost sum;
  std::map<std::string, MixerCost> known;
  const double ffn = 6.0 * static_cast<double>(config.hidden_size) * static_cast<double>(config.intermediate_size);
  for (const std::string& name : config.mixer_types) {
    const MixerKind& kind = find_mixer(name);
    if (!known.count(name)) known[name] = cost_of(*kind.make(config, 0, nullptr));
    const MixerCost& cost = known[name];
    sum.linear_flops += cost.linear_flops + ffn * tokens;
    sum.selection_flops += cost.selection_flops;
    (kind.softmax ? sum.softmax_flops : sum.lightning_flops) += cost.mixing_flops;
  }
  sum.head_flops = 2.0 * static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  return sum;
}

}  // namespace

ModelCost prefill_cost(const ModelConfig& config, int64_t tokens) {
  return sum_layers(config, static_cast<double>(tokens), [&](const Mixer& mixer) { return mixer.prefill_cost(tokens); });
}

ModelCost decode_cost(const ModelConfig& config, int64_t tokens) {
  return sum_layers(config, 1, [&](const Mixer& mixer) { return mixer.decode_cost(tokens); });
}

std::vector<LayerCost> layer_costs(const ModelConfig& config, int64_t tokens) {
  const double ffn = 6.0 * static_cast<double>(config.hidden_size) * static_cast<double>(config.intermediate_size);
  std::vector<LayerCost> costs;
  for (const std::string& name : config.mixer_types) {
    const auto mixer = find_mixer(name).make(config, static_cast<int>(costs.size()), nullptr);
    costs.push_back({mixer->prefill_cost(tokens).total() + ffn * static_cast<double>(tokens),
                     mixer->decode_cost(tokens).total() + ffn, mixer->state_bytes(tokens).total()});
  }
  return costs;
}

}  // namespace sala
