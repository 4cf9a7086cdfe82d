// config.json as transformers writes it: every spelling of one meaning is one config, and what cannot be served is named.
#include <gtest/gtest.h>

#include "sala/model/config.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

// A Qwen3 of two layers, with more fields in front.
std::string qwen3(const std::string& more) {
  return "{" + more + (more.empty() ? "" : ",") +
         R"("model_type": "qwen3", "vocab_size": 97, "hidden_size": 40, "intermediate_size": 56, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 4096})";
}
ModelConfig read(const std::string& more) { return ModelConfig::from_json(qwen3(more)); }

TEST(ConfigSpellings, OneMeaningIsOneConfig) {
  const std::string yarn = R"("rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 1024)";
  const std::vector<std::vector<std::string>> groups = {
      {R"("rope_theta": 1000000)", R"("rope_theta": 1e6, "rope_scaling": null)",
       R"("rope_theta": 1e6, "rope_scaling": {"rope_type": "default"})",
       R"("rope_theta": 1e6, "rope_scaling": {"type": "default"})",
       R"("rope_theta": 1e6, "rope_scaling": {}, "rope_parameters": {})",
       R"("rope_parameters": {"rope_theta": 1e6, "rope_type": "default"})", R"("rope_parameters": {"rope_theta": 1e6})",
       R"("rope_scaling": {"rope_theta": 1e6, "type": "default"})",
       R"("rope_theta": 500, "rope_parameters": {"rope_theta": 1e6})",
       R"("rope_theta": null, "rope_parameters": {"rope_theta": 1e6, "partial_rotary_factor": 1.0})",
       R"("rope_theta": 1e6, "partial_rotary_factor": 1, "layer_types": ["full_attention", "full_attention"], "dtype": "float32")",
       R"("rope_theta": 1e6, "hidden_act": "swish", "mlp_bias": false, "final_logit_softcapping": null)"},
      {"", R"("rope_theta": null)", R"("rope_theta": 10000)", R"("rope_parameters": {"rope_type": "default"})"},
      {R"("rope_scaling": {)" + yarn + "}", R"("rope_parameters": {)" + yarn + "}",
       R"("rope_scaling": {)" + yarn + R"(}, "rope_parameters": {)" + yarn + "}",
       R"("rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024})",
       R"("rope_scaling": {"type": "su", )" + yarn + "}",  // rope_type counts
       R"("rope_scaling": {)" + yarn + R"(, "beta_fast": null, "beta_slow": 1, "attention_factor": null, "truncate": true})",
       R"("rope_scaling": {"rope_type": "yarn", "factor": 4}, "original_max_position_embeddings": 1024)",
       R"("rope_scaling": {"rope_type": "yarn", "factor": null, "original_max_position_embeddings": 1024})",
       R"("rope_scaling": {)" + yarn + R"(, "mscale": 0.7})"},
      {R"("rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 4096})",
       R"("rope_scaling": {"rope_type": "yarn", "factor": 4})"},
      {R"("rope_scaling": {"attention_factor": 1, )" + yarn + "}",
       R"("rope_scaling": {"mscale": 0.7, "mscale_all_dim": 0.7, )" + yarn + "}"},
  };
  for (const std::vector<std::string>& group : groups)
    for (const std::string& spelling : group) EXPECT_EQ(read(spelling).to_json(), read(group[0]).to_json()) << spelling;
  for (std::size_t i = 1; i < groups.size(); ++i) EXPECT_FALSE(read(groups[i][0]) == read(groups[i - 1][0])) << i;
  EXPECT_EQ(read(groups[0][5]).rope_theta, 1e6);
}

TEST(ConfigSpellings, WhatTransformersDoesNotLookAtIsListed) {
  EXPECT_EQ(
      read(R"("rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3], "factor": 2}, "wings": 1)").unknown_keys,
      (std::vector<std::string>{"wings", "rope_scaling.mrope_section", "rope_scaling.factor"}));
  EXPECT_EQ(read(R"("rope_parameters": {"rope_theta": 1e6, "finetuned": true})").unknown_keys,
            std::vector<std::string>{"rope_parameters.finetuned"});
}

TEST(ConfigSpellings, DefaultsAreThoseOfQwen3) {
  const ModelConfig config = ModelConfig::from_json(
      R"({"model_type": "qwen3", "vocab_size": 97, "hidden_size": 64, "intermediate_size": 56, "num_hidden_layers": 2,
          "num_attention_heads": 64})");
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_EQ(config.num_key_value_heads, 32);
  EXPECT_EQ(config.max_position_embeddings, 32768);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST(ConfigSpellings, WhatWouldChangeNumbersIsRefusedByName) {
  const struct {
    std::string more;
    std::vector<std::string> parts;
  } refusals[] = {
      {R"("quantization_config": {"quant_method": "gptq", "bits": 4})", {"quantization_config", "gptq"}},
      {R"("quantization_config": {"quant_method": "fp8"})", {"quantization_config", "fp8"}},
      {R"("quantization_config": {"load_in_8bit": true})", {"quantization_config"}},
      {R"("compression_config": {"format": "int-quantized"})", {"compression_config", "int-quantized"}},
      {R"("quantization": {"group_size": 64, "bits": 4})", {"'quantization'"}},
      {R"("rope_scaling": {"rope_type": "llama3", "factor": 8})", {"rope_scaling.rope_type", "llama3"}},
      {R"("rope_scaling": {"type": "linear", "factor": 2})", {"rope_scaling.type", "linear"}},
      {R"("rope_parameters": {"rope_type": "longrope"})", {"rope_parameters.rope_type", "longrope"}},
      {R"("rope_parameters": {"full_attention": {"rope_theta": 1e6}})", {"rope_parameters.full_attention"}},
      {R"("rope_parameters": {"partial_rotary_factor": 0.5})", {"rope_parameters.partial_rotary_factor", "0.5"}},
      {R"("rope_scaling": {"rope_type": "yarn", "factor": 4, "truncate": false})", {"rope_scaling.truncate"}},
      {R"("partial_rotary_factor": 0.25)", {"partial_rotary_factor", "0.25"}},
      {R"("final_logit_softcapping": 30.0)", {"final_logit_softcapping", "30"}},
      {R"("num_experts": 128)", {"num_experts", "128"}},
      {R"("clip_qkv": 8)", {"clip_qkv", "8"}},
      {R"("rotary_dim": 8)", {"rotary_dim", "8"}},
      {R"("mlp_bias": true)", {"mlp_bias"}},
      {R"("layer_types": ["full_attention", "sliding_attention"])", {"layer_types", "sliding_attention"}},
      {R"("use_sliding_window": true)", {"use_sliding_window"}},
      {R"("attention_bias": true)", {"attention_bias"}},
  };
  for (const auto& [more, parts] : refusals) {
    SCOPED_TRACE(more);
    expect_error(ErrorCode::kUnsupported, parts, [&] { read(more); });
  }
  const struct {
    std::string more;
    std::vector<std::string> parts;
  } mistakes[] = {
      {R"("rope_scaling": 4)", {"'rope_scaling' is 4", "an object"}},
      {R"("rope_parameters": "yarn")", {"'rope_parameters' is \"yarn\""}},
      {R"("rope_scaling": {"rope_type": null, "type": "yarn"})", {"rope_scaling.rope_type", "null"}},
      {R"("rope_scaling": {"type": 3})", {"rope_scaling.type", "3"}},
      {R"("rope_scaling": {"rope_type": "yarn"})", {"rope_scaling.factor", "missing"}},
      {R"("rope_parameters": {"rope_theta": "1e6"})", {"rope_theta", "1e6"}},
      {R"("rope_scaling": {"type": "yarn", "factor": 2}, "rope_parameters": {"type": "default"})", {"differ"}},
      {R"("layer_types": ["full_attention"])", {"layer_types names 1", "2"}},
      {R"("layer_types": 2)", {"layer_types"}},
      {R"("rope_scaling": {"rope_type": "yarn", "factor": 4, "mscale": "x", "mscale_all_dim": 1})", {"rope_scaling.mscale"}},
  };
  for (const auto& [more, parts] : mistakes) {
    SCOPED_TRACE(more);
    expect_error(ErrorCode::kConfig, parts, [&] { read(more); });
  }
}

}  // namespace
}  // namespace sala
