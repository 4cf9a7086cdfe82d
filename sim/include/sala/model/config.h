// A model's config.json (Hugging Face, model_type `minicpm_sala` or `qwen3`) as one struct. Spec 1.1.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace sala {

// What one field may hold; used by reading, help and documentation alike.
struct FieldSpec {
  const char* help = "";
  bool required = false;
  double min = -std::numeric_limits<double>::infinity();  // numbers, and each number of a list
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> allowed = {};  // text; empty = any
};

// `sparse_config`: InfLLM-V2 block selection (spec 4).
struct SparseConfig {
  int64_t kernel_size = 32, kernel_stride = 16, block_size = 64, init_blocks = 1;
  int64_t window_size = 2048, topk = 64, dense_len = 8192;
  bool use_nope = false;

  // Blocks that a query reads: the window's blocks are added to topk (spec 4.6).
  int64_t slots() const { return topk + window_size / block_size; }
  // Blocks that are always read: the first ones, the query's own and those of the window before it (spec 4.5).
  int64_t forced_blocks() const { return init_blocks + window_size / block_size + 1; }
  template <class Self, class Visitor>
  static void visit_fields(Self& self, Visitor&& visit);
};

// `rope_scaling`: YaRN on the softmax layers (arXiv 2309.00071, Hugging Face semantics).
struct YarnConfig {
  std::string rope_type = "yarn";
  double factor = 1;
  int64_t original_max_position_embeddings = 0;
  double beta_fast = 32, beta_slow = 1;
  std::optional<double> attention_factor;  // null = 0.1 ln(factor) + 1

  template <class Self, class Visitor>
  static void visit_fields(Self& self, Visitor&& visit);
};

// Multiplier of the queries of softmax layers (HypeNet, spec 5). JSON: null, a number, or "hype <a>".
struct LogitScaling {
  enum class Kind { kNone, kConstant, kHype };
  Kind kind = Kind::kNone;
  double value = 1;  // the constant, or a in ln(t + a) / ln(a)
  double at(int64_t position) const;
  bool operator==(const LogitScaling&) const = default;
};

// `sala_lab`: what the released config has no field for.
struct LabConfig {
  bool attn_qk_norm = false;
  // [lightning_nh], or layer by layer [num_hidden_layers * lightning_nh]; empty = null = the released rule (spec 3.3)
  std::vector<double> lightning_slopes;
  std::optional<double> attn_rope_theta;  // null = rope_theta
  LogitScaling attn_logits_scaling;
  bool exact_lse = false;
  std::string select_per = "token";  // or "block": the first query of a block selects for all of it
  double decay_scale = 1;            // times every slope
  int64_t train_length = 0;          // 0 = unknown
  std::string family;

  template <class Self, class Visitor>
  static void visit_fields(Self& self, Visitor&& visit);
};

// Field names are the released ones. Plain data: whoever changes a field calls validate() afterwards.
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
  bool attn_use_rope = false, attn_use_output_gate = false;
  int64_t lightning_nh = 0, lightning_nkv = 0, lightning_head_dim = 0;
  std::string lightning_scale = "1/sqrt(d)";
  bool lightning_use_rope = true, qk_norm = true, use_output_norm = true, use_output_gate = true;
  SparseConfig sparse_config;
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
  // Fills the fields that have a fall-back (spec 1.1): head_dim, num_key_value_heads, lightning_*, dim_model_base.
  void resolve();
  void validate() const;
  bool operator==(const ModelConfig& other) const;

  double residual_scale() const;                   // r of spec 2
  double logit_divisor() const;                    // hidden_size / dim_model_base
  double lightning_scale_value() const;            // spec 3.1
  std::vector<float> slopes(int64_t layer) const;  // [lightning_nh], spec 3.3, times decay_scale
  double softmax_rope_theta() const { return sala_lab.attn_rope_theta.value_or(rope_theta); }
  bool uses(const std::string& mixer) const;  // some layer has this mixer

  // The one list of the fields: reading, writing, comparing, help.
  template <class Self, class Visitor>
  static void visit_fields(Self& self, Visitor&& visit);
};

// One line a field: name, default or "required", range, help.
std::string config_help();

// Released ALiBi slopes of `heads` heads (spec 3.3), also when heads is no power of two.
std::vector<float> alibi_slopes(int64_t heads);

// MiniCPM-SALA 9B and Qwen3-8B as published.
ModelConfig released_config();
ModelConfig qwen3_8b_config();

// Weights that the config alone implies (9,477,203,968 for the released one).
int64_t parameter_count(const ModelConfig& config);

// Position policies: hype (RoPE on linear layers only), rope, nope, reverse. Throws Error{kUsage} listing them.
void apply_position_policy(ModelConfig& config, const std::string& name);
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

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr double kMaxExtent = 2147483647.0;

template <class Self, class Visitor>
void SparseConfig::visit_fields(Self& self, Visitor&& visit) {
  visit("kernel_size", self.kernel_size, FieldSpec{"tokens averaged into one fine key", true, 1, kMaxExtent});
  visit("kernel_stride", self.kernel_stride, FieldSpec{"tokens between fine keys", true, 1, kMaxExtent});
  visit("block_size", self.block_size, FieldSpec{"tokens of an attention block", true, 1, kMaxExtent});
  visit("init_blocks", self.init_blocks, FieldSpec{"blocks at the start that are always read", true, 0, kMaxExtent});
  visit("window_size", self.window_size, FieldSpec{"tokens of the local window", true, 0, kMaxExtent});
  visit("topk", self.topk, FieldSpec{"blocks read in addition to the window's", true, 0, kMaxExtent});
  visit("dense_len", self.dense_len, FieldSpec{"sequences shorter than this use dense attention", true, 0, 9e15});
  visit("use_nope", self.use_nope, FieldSpec{"select with keys and queries before RoPE"});
}

template <class Self, class Visitor>
void YarnConfig::visit_fields(Self& self, Visitor&& visit) {
  visit("rope_type", self.rope_type, FieldSpec{.help = "kind of scaling", .required = true, .allowed = {"yarn"}});
  visit("factor", self.factor, FieldSpec{"length factor", true, 1, 1e9});
  visit("original_max_position_embeddings", self.original_max_position_embeddings,
        FieldSpec{"length before scaling", true, 1, 9e15});
  visit("beta_fast", self.beta_fast, FieldSpec{"rotations above which a dimension keeps its frequency", false, 1e-9, 1e9});
  visit("beta_slow", self.beta_slow, FieldSpec{"rotations below which a dimension is interpolated", false, 1e-9, 1e9});
  visit("attention_factor", self.attention_factor,
        FieldSpec{"factor on cos and sin; null = 0.1 ln(factor) + 1", false, 0, 1e9});
}

template <class Self, class Visitor>
void LabConfig::visit_fields(Self& self, Visitor&& visit) {
  visit("attn_qk_norm", self.attn_qk_norm, FieldSpec{"per-head RMSNorm of q and k on softmax layers"});
  visit("lightning_slopes", self.lightning_slopes,
        FieldSpec{"decay slope of each lightning head, for all layers or layer by layer; null = released rule", false, 0,
                  1e9});
  visit("attn_rope_theta", self.attn_rope_theta, FieldSpec{"theta of softmax layers; null = rope_theta", false, 1, 1e18});
  visit("attn_logits_scaling", self.attn_logits_scaling, FieldSpec{"null, a factor, or \"hype <a>\": ln(t + a) / ln(a)"});
  visit("exact_lse", self.exact_lse, FieldSpec{"normalise block scores over fine keys instead of coarse ones"});
  visit("select_per", self.select_per,
        FieldSpec{.help = "token: every query selects; block: the first query of a block selects for all of it",
                  .allowed = {"token", "block"}});
  visit("decay_scale", self.decay_scale, FieldSpec{"factor on every decay slope; 0 = no decay", false, 0, 1e9});
  visit("train_length", self.train_length, FieldSpec{"longest training length in tokens; 0 = unknown", false, 0, 9e15});
  visit("family", self.family, FieldSpec{"free text"});
}

template <class Self, class Visitor>
void ModelConfig::visit_fields(Self& self, Visitor&& visit) {
  const bool sala = self.model_type != "qwen3";  // Qwen3 has fixed values for the rest
  visit("architectures", self.architectures, FieldSpec{"class names of other tools"});
  visit("model_type", self.model_type, FieldSpec{.help = "family", .required = true, .allowed = {"minicpm_sala", "qwen3"}});
  visit("torch_dtype", self.torch_dtype, FieldSpec{"storage type of the weights (information only)"});
  visit("vocab_size", self.vocab_size, FieldSpec{"rows of the embedding", true, 1, kMaxExtent});
  visit("hidden_size", self.hidden_size, FieldSpec{"width of the residual stream", true, 1, kMaxExtent});
  visit("intermediate_size", self.intermediate_size, FieldSpec{"width of the FFN", true, 1, kMaxExtent});
  visit("num_hidden_layers", self.num_hidden_layers, FieldSpec{"layers", true, 1, 100000});
  visit("num_attention_heads", self.num_attention_heads, FieldSpec{"query heads of softmax layers", true, 1, 65536});
  visit("num_key_value_heads", self.num_key_value_heads,
        FieldSpec{"KV heads of softmax layers; default num_attention_heads", false, 1, 65536});
  visit("head_dim", self.head_dim,
        FieldSpec{"dimensions of a head; default hidden_size / num_attention_heads", false, 1, 65536});
  visit("hidden_act", self.hidden_act, FieldSpec{.help = "FFN activation", .allowed = {"silu"}});
  visit("rms_norm_eps", self.rms_norm_eps, FieldSpec{"added to the mean square", false, 0, 1});
  visit("max_position_embeddings", self.max_position_embeddings,
        FieldSpec{"length the model was made for (information only)", false, 0, 9e15});
  visit("rope_theta", self.rope_theta, FieldSpec{"RoPE base", false, 1, 1e18});
  visit("rope_scaling", self.rope_scaling, FieldSpec{"null or YaRN for softmax layers"});
  visit("attention_bias", self.attention_bias, FieldSpec{"biases of projections (only false)"});
  visit("tie_word_embeddings", self.tie_word_embeddings, FieldSpec{"the head is the embedding"});
  visit("use_sliding_window", self.use_sliding_window, FieldSpec{"sliding-window attention (only false)"});
  visit("bos_token_id", self.bos_token_id, FieldSpec{"begin of sequence", false, 0, kMaxExtent});
  visit("pad_token_id", self.pad_token_id, FieldSpec{"padding", false, 0, kMaxExtent});
  visit("eos_token_id", self.eos_token_id, FieldSpec{"stop on any of these", false, 0, kMaxExtent});
  visit("scale_emb", self.scale_emb, FieldSpec{"factor on the embedding", sala, -1e9, 1e9});
  visit("scale_depth", self.scale_depth, FieldSpec{"residual factor times sqrt(layers)", sala, -1e9, 1e9});
  visit("dim_model_base", self.dim_model_base,
        FieldSpec{"logits are divided by hidden_size / dim_model_base", sala, 1e-9, 1e9});
  visit("mixer_types", self.mixer_types, FieldSpec{"mixer of each layer", sala});
  visit("attn_use_rope", self.attn_use_rope, FieldSpec{"RoPE on softmax layers", sala});
  visit("attn_use_output_gate", self.attn_use_output_gate, FieldSpec{"softmax layers have o_gate", sala});
  visit("lightning_nh", self.lightning_nh, FieldSpec{"lightning query heads; default num_attention_heads", false, 1, 65536});
  visit("lightning_nkv", self.lightning_nkv, FieldSpec{"lightning KV heads; default num_key_value_heads", false, 1, 65536});
  visit("lightning_head_dim", self.lightning_head_dim,
        FieldSpec{"dimensions of a lightning head; default head_dim", false, 1, 65536});
  visit("lightning_scale", self.lightning_scale, FieldSpec{.help = "score scale", .allowed = {"1/sqrt(d)", "1/d", "1"}});
  visit("lightning_use_rope", self.lightning_use_rope, FieldSpec{"RoPE on lightning layers", sala});
  visit("qk_norm", self.qk_norm, FieldSpec{"per-head RMSNorm of q and k on lightning layers", sala});
  visit("use_output_norm", self.use_output_norm, FieldSpec{"lightning layers have o_norm", sala});
  visit("use_output_gate", self.use_output_gate, FieldSpec{"lightning layers have z_proj", sala});
  visit("sparse_config", self.sparse_config, FieldSpec{"block selection of minicpm4 layers"});
  visit("sala_lab", self.sala_lab, FieldSpec{"extensions of SALA Lab"});
}

}  // namespace sala
