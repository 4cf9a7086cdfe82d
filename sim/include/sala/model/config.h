// A model's config.json (Hugging Face, model_type `minicpm_sala` or `qwen3`) as one struct. Spec 1.1.
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sala/model/fields.h"

namespace sala {

inline constexpr double kMaxExtent = 2147483647.0;
inline constexpr int64_t kMaxLayers = 10000;  // far beyond any model: 180 bytes of config.json can ask for so many

// `rope_scaling`: YaRN on the softmax layers (arXiv 2309.00071, Hugging Face semantics).
struct YarnConfig {
  std::string rope_type = "yarn";
  double factor = 1;
  int64_t original_max_position_embeddings = 0;
  double beta_fast = 32, beta_slow = 1;
  std::optional<double> attention_factor;  // null = 0.1 ln(factor) + 1

  void visit_fields(FieldVisitor& visit);
};

// `sala_lab`: what the released config has no field for and belongs to no single mixer.
struct LabConfig {
  int64_t train_length = 0;  // 0 = unknown
  std::string family;
  std::vector<EncodingChoice> position_encodings;  // of every layer, or one for all; empty = null = the released fields

  void visit_fields(FieldVisitor& visit);
};

// Field names are the released ones. Plain data: whoever changes a field calls validate() afterwards. The fields that belong
// to one mixer, or to those of one sort, are a struct in its folder (sim/mixers); own<T>() holds it.
struct ModelConfig {
  std::vector<std::string> architectures;
  std::string model_type = "minicpm_sala";
  std::string torch_dtype = "bfloat16";
  int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0, num_hidden_layers = 0;
  int64_t num_attention_heads = 0, num_key_value_heads = 0, head_dim = 0;
  std::string hidden_act = "silu";
  double rms_norm_eps = 1e-6;
  int64_t max_position_embeddings = 0;
  double rope_theta = 10000;
  std::optional<YarnConfig> rope_scaling;
  bool attention_bias = false, tie_word_embeddings = false, use_sliding_window = false;
  std::optional<int64_t> bos_token_id, pad_token_id;
  std::vector<int64_t> eos_token_id;  // JSON: one id or a list
  double scale_emb = 1, scale_depth = 1, dim_model_base = 0;
  std::vector<std::string> mixer_types;  // names of the mixer registry, one a layer
  LabConfig sala_lab;

  std::vector<std::string>
      unknown_keys;  // keys of the file that mean nothing here, as dotted paths; not compared, not written

  // `source` names the file in messages. Throws Error{kFormat} for text that is no JSON object, Error{kConfig} naming the
  // field that is missing, wrong or contradictory, Error{kUnsupported} for a valid wish that the engine cannot serve.
  static ModelConfig from_json(const std::string& text, const std::string& source = "config.json");
  static ModelConfig load(const std::string& path);
  std::string to_json() const;  // pretty, one trailing newline; from_json of it gives an equal config
  // Sets one field from text, for instance ("sparse_config.topk", "16"), and validates. Throws Error{kConfig}.
  void set(const std::string& dotted_name, const std::string& value);
  // Fills the fields that have a fall-back (spec 1.1): head_dim, num_key_value_heads, dim_model_base, the mixers' own.
  void resolve();
  void validate() const;
  bool operator==(const ModelConfig& other) const;

  bool is_qwen3() const { return model_type == "qwen3"; }  // has fixed values for most fields of MiniCPM-SALA
  double residual_scale() const;                           // r of spec 2
  double logit_divisor() const;                            // hidden_size / dim_model_base
  bool uses(const std::string& mixer) const;               // some layer has this mixer

  // The one list of the fields, the mixers' own in their places: reading, writing, comparing, help.
  void visit_fields(FieldVisitor& visit);

  // The struct T of fields that its mixers visit (MixerKind::visit_fields); defaults until it is changed.
  template <class T>
  T& own() {
    std::any& found = own_[&kKey<T>];
    if (!found.has_value()) found = T{};
    return std::any_cast<T&>(found);
  }
  template <class T>
  const T& own() const {
    static const T defaults;
    const auto found = own_.find(&kKey<T>);
    return found == own_.end() ? defaults : std::any_cast<const T&>(found->second);
  }

 private:
  // An address for each T: type names are not enough, two mixers may have a `Config` in unnamed namespaces.
  template <class T>
  static constexpr char kKey = 0;
  std::map<const void*, std::any> own_;
};

// Opens `sala_lab` for more fields: mixers keep there what the released config cannot express.
void lab_fields(FieldVisitor& visit, const std::function<void()>& fields);

// Every field that this program knows, in the order of config.json.
struct ConfigField {
  std::string path;                  // "sparse_config.topk"
  std::string type, fallback, help;  // fallback: the default, "required" or "optional"
  SwitchFlag flag;
  bool is_bool() const { return type == "true or false"; }
};
std::vector<ConfigField> config_fields();
// The same as the Markdown table of docs/config.md.
std::string config_help();
// The first field that weights are trained with and that differs, by its path; empty when there is none. Of encodings only
// the types count.
std::string changed_trained_field(const ModelConfig& before, const ModelConfig& after);

// MiniCPM-SALA 9B and Qwen3-8B as published.
ModelConfig released_config();
ModelConfig qwen3_8b_config();

// Weights that the config alone implies (9,477,203,968 for the released one).
int64_t parameter_count(const ModelConfig& config);

// Position policies: hype (RoPE on linear layers only), rope, nope, reverse. Throws Error{kUsage} listing them.
void apply_position_policy(ModelConfig& config, const std::string& name);
// "custom" where sala_lab.position_encodings names them, or no policy says what the fields say.
std::string position_policy(const ModelConfig& config);

// Layer maps. `softmax` and `linear` name the mixers of the two sorts of layers; empty = the first such kind that selects
// blocks, and the first linear one.
// "1:3" = one softmax layer to three linear ones; first and last are softmax, the rest spread evenly. "1:0" and "0:1" are
// pure. Throws Error{kConfig} when the ratio does not divide `layers` or leaves fewer than two softmax layers.
std::vector<std::string> layer_map_from_ratio(const std::string& ratio, int64_t layers, const std::string& softmax = "",
                                              const std::string& linear = "");
// One letter a layer, of the mixer registry (`sala_eval list mixers`). Throws Error{kConfig} naming letter and place.
std::vector<std::string> layer_map_from_string(const std::string& letters);
std::string layer_map_string(const std::vector<std::string>& mixer_types);
std::vector<std::string> released_layer_map();

}  // namespace sala
