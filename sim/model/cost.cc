#include "sala/model/cost.h"

#include <map>

#include "sim/mixers/mixer.h"

namespace sala {
namespace {

constexpr const char* kDense = "projections+FFN";

double ffn_flops(const ModelConfig& config) {
  return 6.0 * static_cast<double>(config.hidden_size) * static_cast<double>(config.intermediate_size);
}

// Sum over layers; layers with the same mixer cost the same.
template <class CostOf>
Flops sum_layers(const ModelConfig& config, double tokens, const CostOf& cost_of) {
  Flops sum{{kDense, 0}};
  for (const MixerKind* kind : shown_kinds(config))
    for (const std::string& name : kind->cost_names) sum.add(name, 0);
  std::map<std::string, MixerCost> known;
  for (const std::string& name : config.mixer_types) {
    if (!known.count(name)) known[name] = cost_of(*find_mixer(name).make(config, 0, nullptr));
    const MixerCost& cost = known[name];
    sum.add(kDense, cost.projections + ffn_flops(config) * tokens);
    sum.add(cost.mixing);
  }
  sum.add("head", 2.0 * static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size));
  return sum;
}

}  // namespace

Flops prefill_cost(const ModelConfig& config, int64_t tokens) {
  return sum_layers(config, static_cast<double>(tokens), [&](const Mixer& mixer) { return mixer.prefill_cost(tokens); });
}

Flops pruned_prefill_cost(const ModelConfig& config, int64_t tokens) {
  Flops cost = prefill_cost(config, tokens);
  const auto mixer =
      find_mixer(config.mixer_types.back()).make(config, static_cast<int>(config.mixer_types.size()) - 1, nullptr);
  const MixerCost whole = mixer->prefill_cost(tokens), before = mixer->update_cost(tokens - 1),
                  last = mixer->decode_cost(tokens);
  cost.add(kDense,
           before.projections + last.projections - whole.projections - ffn_flops(config) * static_cast<double>(tokens - 1));
  for (const Flops::Item& item : whole.mixing.items()) cost.add(item.name, -item.amount);
  cost.add(before.mixing);
  cost.add(last.mixing);
  return cost;
}

Flops decode_cost(const ModelConfig& config, int64_t tokens) {
  return sum_layers(config, 1, [&](const Mixer& mixer) { return mixer.decode_cost(tokens); });
}

std::vector<LayerCost> layer_costs(const ModelConfig& config, int64_t tokens) {
  std::vector<LayerCost> costs;
  for (const std::string& name : config.mixer_types) {
    const auto mixer = find_mixer(name).make(config, static_cast<int>(costs.size()), nullptr);
    costs.push_back({mixer->prefill_cost(tokens).total() + ffn_flops(config) * static_cast<double>(tokens),
                     mixer->decode_cost(tokens).total() + ffn_flops(config), mixer->state_bytes(tokens).total()});
  }
  return costs;
}

}  // namespace sala
