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
  const MixerKind& kind = find_mixer(config.mixer_types.back());
  const auto mixer = kind.make(config, static_cast<int>(config.mixer_types.size()) - 1, nullptr);
  const LayerShape shape = kind.shape(config);
  const MixerCost whole = mixer->prefill_cost(tokens), last = mixer->decode_cost(tokens);
  const double before = static_cast<double>(tokens - 1), width = static_cast<double>(shape.kv_heads * shape.head_dim);
  const double keys_values = 2.0 * static_cast<double>(config.hidden_size) * 2 * width;
  cost.add(kDense, last.projections + keys_values * before - whole.projections - ffn_flops(config) * before);
  for (const Flops::Item& item : whole.mixing.items()) cost.add(item.name, -item.amount);
  cost.add(last.mixing);
  if (kind.traits.linear) {  // a token before the last adds the outer product of its key and value to the state of each head
    const auto head = static_cast<double>(shape.head_dim);
    cost.add(kind.cost_names.front(), 2 * head * head * static_cast<double>(shape.heads) * before);
  }
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
