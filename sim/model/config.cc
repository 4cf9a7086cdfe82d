#include "sala/model/config.h"

#include <algorithm>
#include <cmath>

#include "sala/core/error.h"
#include "sim/mixers/mixer.h"
#include "sim/posenc/posenc.h"

namespace sala {
namespace {

void check_extent(const char* what, int64_t a, int64_t b) {
  if (static_cast<double>(a) * static_cast<double>(b) > kMaxExtent)
    throw Error(ErrorCode::kConfig, "{} is {} x {}, more than {:.0f}", what, a, b, kMaxExtent);
}

void check_positive(const char* name, int64_t value) {
  if (value < 1) throw Error(ErrorCode::kConfig, "field '{}' is {}, expected at least 1", name, value);
}

bool rotates(const PositionPolicy& policy, const MixerTraits& traits) {
  return traits.softmax ? policy.softmax_layers : policy.linear_layers;
}

}  // namespace

void ModelConfig::resolve() {
  if (num_key_value_heads == 0) num_key_value_heads = num_attention_heads;
  if (head_dim == 0 && num_attention_heads > 0) {
    if (hidden_size % num_attention_heads != 0)
      throw Error(ErrorCode::kConfig, "hidden_size {} is no multiple of num_attention_heads {}: give head_dim", hidden_size,
                  num_attention_heads);
    head_dim = hidden_size / num_attention_heads;
  }
  if (dim_model_base == 0) dim_model_base = static_cast<double>(hidden_size);
  if (is_qwen3()) {  // Qwen3 adds residuals without a factor: r = 1
    if (mixer_types.empty())
      mixer_types.assign(static_cast<std::size_t>(num_hidden_layers), first_mixer({.softmax = true}).name);
    if (scale_depth == 1) scale_depth = std::sqrt(static_cast<double>(num_hidden_layers));
  }
  for (const MixerKind* kind : shown_kinds(*this))
    if (kind->resolve != nullptr) kind->resolve(*this);
}

void ModelConfig::validate() const {
  check_positive("vocab_size", vocab_size);
  check_positive("hidden_size", hidden_size);
  check_positive("intermediate_size", intermediate_size);
  check_positive("num_hidden_layers", num_hidden_layers);
  check_positive("num_attention_heads", num_attention_heads);
  check_positive("num_key_value_heads", num_key_value_heads);
  check_positive("head_dim", head_dim);
  check_extent("num_attention_heads x head_dim", num_attention_heads, head_dim);
  if (static_cast<int64_t>(mixer_types.size()) != num_hidden_layers)
    throw Error(ErrorCode::kConfig, "mixer_types names {} layers, num_hidden_layers is {}", mixer_types.size(),
                num_hidden_layers);
  if (attention_bias) throw Error(ErrorCode::kUnsupported, "attention_bias is true, only models without biases can be run");
  if (use_sliding_window) throw Error(ErrorCode::kUnsupported, "use_sliding_window is true, only full attention can be run");
  if (!(dim_model_base > 0)) throw Error(ErrorCode::kConfig, "dim_model_base is {}, expected more than 0", dim_model_base);
  for (const std::string& name : mixer_types) find_mixer(name);
  const std::size_t encodings = sala_lab.position_encodings.size();
  if (encodings > 1 && encodings != mixer_types.size())
    throw Error(ErrorCode::kConfig, "sala_lab.position_encodings has {} entries, expected 1 or one for each of {} layers",
                encodings, mixer_types.size());
  for (const EncodingChoice& choice : sala_lab.position_encodings)
    if (!choice.type.empty()) complete_encoding(*this, choice);
  for (const MixerKind& kind : mixer_kinds())
    if (kind.check != nullptr && uses(kind.name)) kind.check(*this);
  const auto check_id = [&](const char* name, int64_t id) {
    if (id < 0 || id >= vocab_size) throw Error(ErrorCode::kConfig, "{} is {}, vocab_size is {}", name, id, vocab_size);
  };
  if (bos_token_id) check_id("bos_token_id", *bos_token_id);
  if (pad_token_id) check_id("pad_token_id", *pad_token_id);
  for (const int64_t id : eos_token_id) check_id("eos_token_id", id);
}

double ModelConfig::residual_scale() const { return scale_depth / std::sqrt(static_cast<double>(num_hidden_layers)); }

double ModelConfig::logit_divisor() const { return static_cast<double>(hidden_size) / dim_model_base; }

bool ModelConfig::uses(const std::string& mixer) const {
  return std::find(mixer_types.begin(), mixer_types.end(), mixer) != mixer_types.end();
}

void apply_position_policy(ModelConfig& config, const std::string& name) {
  std::string known;
  for (const PositionPolicy& policy : position_policies()) {
    if (policy.name == name) {
      for (const MixerKind* kind : shown_kinds(config))
        if (kind->rope_switch != nullptr) *kind->rope_switch(config) = rotates(policy, kind->traits);
      config.sala_lab.position_encodings.clear();
      return;
    }
    known += (known.empty() ? "" : ", ") + policy.name;
  }
  throw Error(ErrorCode::kUsage, "position policy '{:.60}' does not exist; there are {}", name, known);
}

std::string position_policy(const ModelConfig& config) {
  if (!config.sala_lab.position_encodings.empty()) return "custom";
  ModelConfig read = config;
  const std::vector<const MixerKind*> kinds = shown_kinds(config);
  for (const PositionPolicy& policy : position_policies())
    if (std::all_of(kinds.begin(), kinds.end(), [&](const MixerKind* kind) {
          return kind->rope_switch == nullptr || *kind->rope_switch(read) == rotates(policy, kind->traits);
        }))
      return policy.name;
  return "custom";
}

}  // namespace sala
