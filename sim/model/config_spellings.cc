#include "sim/model/config_spellings.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "sala/core/error.h"
#include "sala/model/fields.h"
#include "sim/text/json.h"

namespace sala::internal {
namespace {

using Json = nlohmann::ordered_json;

// Fields of other models that change results unless they have this value. null, false, 0, [] and {} never do.
const std::map<std::string, Json>& neutral_values() {
  static const std::map<std::string, Json> values = {{"add_cross_attention", false},
                                                     {"alibi", false},
                                                     {"attention_chunk_size", nullptr},
                                                     {"attention_multiplier", nullptr},
                                                     {"attention_sinks", nullptr},
                                                     {"attn_logit_softcapping", nullptr},
                                                     {"clip_qkv", nullptr},
                                                     {"embedding_multiplier", 1},
                                                     {"final_logit_softcapping", nullptr},
                                                     {"is_encoder_decoder", false},
                                                     {"kv_lora_rank", nullptr},
                                                     {"logit_scale", 1},
                                                     {"logits_scaling", 1},
                                                     {"mlp_bias", false},
                                                     {"n_routed_experts", nullptr},
                                                     {"no_rope_layer_interval", nullptr},
                                                     {"no_rope_layers", nullptr},
                                                     {"num_experts", nullptr},
                                                     {"num_local_experts", nullptr},
                                                     {"parallel_attn", false},
                                                     {"parallel_residual", false},
                                                     {"partial_rotary_factor", 1},
                                                     {"pruned_heads", nullptr},
                                                     {"q_lora_rank", nullptr},
                                                     {"qkv_bias", false},
                                                     {"query_pre_attn_scalar", nullptr},
                                                     {"residual_multiplier", 1},
                                                     {"rope_interleave", false},
                                                     {"rope_interleaved", false},
                                                     {"rope_local_base_freq", nullptr},
                                                     {"rope_percent", 1},
                                                     {"rope_ratio", 1},
                                                     {"rotary_dim", nullptr},
                                                     {"rotary_pct", 1},
                                                     {"use_alibi", false},
                                                     {"use_parallel_residual", false}};
  return values;
}

class Spellings {
 public:
  Spellings(Json& object, const std::string& source) : object_(object), source_(source) {}

  std::vector<std::string> read() {
    const Json type = value(object_, "model_type");
    qwen3_ = type == "qwen3";
    refuse_quantised();
    for (const auto& [key, neutral] : neutral_values()) take_neutral(object_, key, neutral, "");
    layer_types();
    if (value(object_, "hidden_act") == "swish") object_["hidden_act"] = "silu";
    if (qwen3_) defaults();
    rope();
    return std::move(ignored_);
  }

 private:
  // null when the key is missing.
  static Json value(const Json& object, const std::string& key) {
    const auto found = object.find(key);
    return found == object.end() ? Json(nullptr) : *found;
  }
  static bool says_nothing(const Json& value) {
    return value.is_null() || value == false || value == 0 || (value.is_structured() && value.empty());
  }
  static std::string shown(const Json& value) {
    if (value.is_structured()) return value.is_array() ? "a list" : "an object";
    const std::string text = text::write_json(value, -1, true);
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
  }
  [[noreturn]] void wrong(const std::string& name, const Json& value, const char* expected) const {
    throw Error(ErrorCode::kConfig, "{}: field '{}' is {}, expected {}", source_, name, shown(value), expected);
  }
  template <class... Args>
  [[noreturn]] void unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(ErrorCode::kUnsupported, "{}: {}", source_, fmt::format(format, std::forward<Args>(args)...));
  }

  void take_neutral(Json& object, const std::string& key, const Json& neutral, const std::string& prefix) {
    const auto found = object.find(key);
    if (found == object.end()) return;
    if (!says_nothing(*found) && *found != neutral)
      unsupported("field '{}{}' is {}, which changes results and is not supported", prefix, key, shown(*found));
    object.erase(key);
  }

  void refuse_quantised() const {
    for (const char* key : {"quantization_config", "quantization", "compression_config"}) {
      const Json found = value(object_, key);
      if (found.is_null()) continue;
      for (const char* name : {"quant_method", "quant_algo", "format"}) {
        const Json method = found.is_object() ? value(found, name) : Json(nullptr);
        if (method.is_string())
          unsupported("field '{}' says that the weights are quantised by {}, which is not supported", key, shown(method));
      }
      unsupported("field '{}' says that the weights are quantised, which is not supported", key);
    }
  }

  void layer_types() {
    const Json types = value(object_, "layer_types");
    object_.erase("layer_types");
    if (types.is_null()) return;
    if (!types.is_array()) wrong("layer_types", types, "a list, each text");
    for (const Json& type : types)
      if (type != "full_attention" && (qwen3_ || type == "sliding_attention" || type == "chunked_attention"))
        unsupported("field 'layer_types' has {}, only \"full_attention\" is supported", shown(type));
    if (const Json layers = value(object_, "num_hidden_layers"); layers.is_number() && layers != types.size())
      throw Error(ErrorCode::kConfig, "{}: layer_types names {} layers, num_hidden_layers is {}", source_, types.size(),
                  shown(layers));
  }

  // Qwen3Config's own, and what every Qwen3 has, where a missing field means something else here.
  void defaults() {
    const auto fall_back = [&](const char* key, Json otherwise) {
      if (!object_.contains(key)) object_[key] = std::move(otherwise);
    };
    fall_back("head_dim", 128);
    fall_back("num_key_value_heads", 32);
    if (object_["num_key_value_heads"].is_null()) object_["num_key_value_heads"] = value(object_, "num_attention_heads");
    fall_back("max_position_embeddings", 32768);
    fall_back("attn_use_rope", true);
    fall_back("sala_lab", Json::object());
    if (Json& lab = object_["sala_lab"]; lab.is_object() && !lab.contains("attn_qk_norm")) lab["attn_qk_norm"] = true;
  }

  void rope() {
    Json outer = value(object_, "rope_parameters");
    Json rope = value(object_, "rope_scaling");
    for (const auto& [name, given] : {std::pair("rope_parameters", &outer), std::pair("rope_scaling", &rope)})
      if (!given->is_null() && !given->is_object()) wrong(name, *given, "null or an object");
    object_.erase("rope_parameters");
    if (!says_nothing(rope) && !says_nothing(outer) && rope != outer)
      throw Error(ErrorCode::kConfig, "{}: fields 'rope_scaling' and 'rope_parameters' differ: leave one of them", source_);
    const std::string name = says_nothing(rope) && !says_nothing(outer) ? "rope_parameters" : "rope_scaling";
    if (says_nothing(rope)) rope = outer;
    if (value(object_, "rope_theta").is_null()) object_.erase("rope_theta");
    object_["rope_scaling"] = nullptr;
    const Json original = value(object_, "original_max_position_embeddings");
    object_.erase("original_max_position_embeddings");
    if (says_nothing(rope)) return;
    for (const auto& [key, inner] : rope.items())
      if (inner.is_object())
        unsupported("field '{}.{}' gives a RoPE to one kind of layer, which is not supported", name, key);
    if (const Json theta = value(rope, "rope_theta"); !theta.is_null()) object_["rope_theta"] = theta;
    take_neutral(rope, "partial_rotary_factor", 1, name + ".");
    rope.erase("rope_theta");
    const Json newer = value(rope, "rope_type"), older = value(rope, "type");
    const Json type = rope.contains("rope_type") ? newer : rope.contains("type") ? older : Json("default");
    if (!type.is_string()) wrong(name + (rope.contains("rope_type") ? ".rope_type" : ".type"), type, "text");
    rope.erase("rope_type");
    rope.erase("type");
    if (type == "yarn")
      yarn(rope, name, original);
    else if (type != "default")
      unsupported("field '{}.{}' is {}, there are \"default\" and \"yarn\"", name, newer.is_null() ? "type" : "rope_type",
                  shown(type));
    for (const auto& [key, unused] : rope.items()) ignored_.push_back(name + "." + key);
  }

  // Takes what it reads out of `rope`.
  void yarn(Json& rope, const std::string& name, const Json& original) {
    Json ours = {{"rope_type", "yarn"}};
    const auto take = [&](const char* key) {
      Json taken = value(rope, key);
      rope.erase(key);
      return taken;
    };
    if (rope.contains("truncate") && take("truncate") != true)
      unsupported("field '{}.truncate' is not true, which is not supported", name);
    const bool has_factor = rope.contains("factor");
    Json factor = take("factor"), length = take("original_max_position_embeddings");
    if (!original.is_null()) length = original;
    const Json longest = value(object_, "max_position_embeddings");
    if (length.is_null()) length = longest;
    if (factor.is_null() && has_factor && longest.is_number() && length.is_number() && length != 0)
      factor = longest.get<double>() / length.get<double>();
    if (!factor.is_null()) ours["factor"] = factor;
    if (!says_nothing(length)) ours["original_max_position_embeddings"] = length;
    for (const char* key : {"beta_fast", "beta_slow"})
      if (const Json beta = take(key); !says_nothing(beta)) ours[key] = beta;
    Json attention = take("attention_factor");
    const Json mscale = take("mscale"), all_dim = take("mscale_all_dim");
    for (const auto& [key, scale] : {std::pair("mscale", &mscale), std::pair("mscale_all_dim", &all_dim)})
      if (!scale->is_null() && !scale->is_number()) wrong(name + "." + key, *scale, "a number");
    if (attention.is_null() && !says_nothing(mscale) && !says_nothing(all_dim) && factor.is_number()) {
      const double stretch = std::max(1.0, factor.get<double>());
      const auto scale = [&](const Json& times) { return 0.1 * times.get<double>() * std::log(stretch) + 1; };
      attention = scale(mscale) / scale(all_dim);
    }
    if (!attention.is_null()) ours["attention_factor"] = attention;
    object_["rope_scaling"] = ours;
  }

  Json& object_;
  const std::string& source_;
  bool qwen3_ = false;
  std::vector<std::string> ignored_;
};

}  // namespace

std::vector<std::string> read_spellings(Json& object, const std::string& source) { return Spellings(object, source).read(); }

}  // namespace sala::internal
