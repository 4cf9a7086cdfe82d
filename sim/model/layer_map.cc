// Which layer has which mixer, and the published configs.
#include <algorithm>
#include <charconv>

#include "sala/core/error.h"
#include "sala/model/config.h"
#include "sim/mixers/mixer.h"
#include "sim/text/printable.h"

namespace sala {
namespace {

int64_t parse_part(std::string_view part, const std::string& ratio) {
  int64_t value = -1;
  const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (problem != std::errc() || end != part.data() + part.size() || value < 0 || value > 100000)
    throw Error(ErrorCode::kConfig, "'{}' is no ratio; write softmax:linear, for instance 1:3", ratio);
  return value;
}

}  // namespace

std::vector<std::string> layer_map_from_ratio(const std::string& ratio, int64_t layers, const std::string& softmax,
                                              const std::string& linear) {
  if (layers < 1) throw Error(ErrorCode::kConfig, "{} layers, expected at least 1", layers);
  const auto colon = ratio.find(':');
  const std::string_view text = ratio;
  const int64_t a = parse_part(text.substr(0, colon), ratio);
  const int64_t b = parse_part(colon == std::string::npos ? "" : text.substr(colon + 1), ratio);
  if (a + b == 0) throw Error(ErrorCode::kConfig, "ratio {} has no layer at all", ratio);
  if (layers * a % (a + b) != 0)
    throw Error(ErrorCode::kConfig, "ratio {} of {} layers is {:.2f} softmax layers, no whole number", ratio, layers,
                static_cast<double>(layers * a) / static_cast<double>(a + b));
  const int64_t count = layers * a / (a + b);
  if (count == 1 && layers > 1)
    throw Error(ErrorCode::kConfig,
                "ratio {} of {} layers is 1 softmax layer, first and last need 2; use {} layers or a "
                "letter map",
                ratio, layers, 2 * layers);
  std::vector<std::string> map(static_cast<std::size_t>(layers),
                               linear.empty() ? first_mixer({.linear = true}).name : linear);
  const std::string& chosen = softmax.empty() ? first_mixer({.softmax = true, .selects = true}).name : softmax;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t at = count == 1 ? 0 : (2 * k * (layers - 1) + count - 1) / (2 * (count - 1));  // nearest, halves up
    map[static_cast<std::size_t>(at)] = chosen;
  }
  return map;
}

std::vector<std::string> layer_map_from_string(const std::string& letters) {
  std::vector<std::string> map;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const auto& kinds = mixer_kinds();
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const MixerKind& kind) {
      return kind.letters.find(letters[i]) != std::string::npos;
    });
    if (found == kinds.end()) {
      std::string known;
      for (const MixerKind& kind : kinds)
        known += fmt::format("{}{} is {}", known.empty() ? "" : ", ", kind.letters[0], kind.name);
      throw Error(ErrorCode::kConfig, "letter '{}' at place {} of '{}'; {}", letters[i], i, text::printable(letters, 80),
                  known);
    }
    map.push_back(found->name);
  }
  if (map.empty()) throw Error(ErrorCode::kConfig, "a map of layers has at least one letter");
  return map;
}

std::string layer_map_string(const std::vector<std::string>& mixer_types) {
  std::string letters;
  for (const std::string& name : mixer_types) letters += find_mixer(name).letters[0];
  return letters;
}

std::vector<std::string> released_layer_map() { return layer_map_from_string("SLLLLLLLLSLLLLLLSSLLLLSLLLLLLSSS"); }

ModelConfig released_config() {
  ModelConfig config;
  config.architectures = {"MiniCPMSALAForCausalLM"};
  config.vocab_size = 73448;
  config.hidden_size = 4096;
  config.intermediate_size = 16384;
  config.num_hidden_layers = 32;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 2;
  config.head_dim = 128;
  config.max_position_embeddings = 524288;
  config.bos_token_id = 1;
  config.eos_token_id = {2, 73440};
  config.pad_token_id = 2;
  config.scale_emb = 12;
  config.scale_depth = 1.4;
  config.dim_model_base = 256;
  config.mixer_types = released_layer_map();
  config.sala_lab.train_length = 532480;  // 520K, the last stage of long decay
  config.resolve();
  config.set("attn_use_output_gate", "true");
  config.set("lightning_nkv", "32");
  return config;
}

ModelConfig qwen3_8b_config() {
  ModelConfig config;
  config.architectures = {"Qwen3ForCausalLM"};
  config.model_type = "qwen3";
  config.vocab_size = 151936;
  config.hidden_size = 4096;
  config.intermediate_size = 12288;
  config.num_hidden_layers = 36;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.max_position_embeddings = 40960;
  config.rope_theta = 1e6;
  config.bos_token_id = 151643;
  config.eos_token_id = {151645};
  config.resolve();
  config.set("attn_use_rope", "true");
  config.set("sala_lab.attn_qk_norm", "true");
  return config;
}

}  // namespace sala
