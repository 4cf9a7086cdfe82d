// config.json: the released fields, fall-backs, refusals, layer maps.
#include "sala/model/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sala/model/cost.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/softmax_fields.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

// `text` with the first `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(ModelConfig, ReleasedConfigSurvivesJson) {
  const ModelConfig released = released_config();
  released.validate();
  const ModelConfig again = ModelConfig::from_json(released.to_json());
  EXPECT_TRUE(again == released);
  EXPECT_TRUE(again.unknown_keys.empty());
  EXPECT_EQ(again.to_json(), released.to_json());
  EXPECT_EQ(again.own<InfLlmV2Fields>().sparse_config.slots(), 96);
  EXPECT_EQ(again.own<InfLlmV2Fields>().sparse_config.forced_blocks(), 34);
  EXPECT_EQ(again.eos_token_id, (std::vector<int64_t>{2, 73440}));
}

TEST(ModelConfig, EveryChangedFieldBreaksEquality) {
  ModelConfig changed = small_config("SLF");
  const ModelConfig before = changed;
  changed.own<InfLlmV2Fields>().exact_lse = true;
  EXPECT_FALSE(changed == before);
  changed = before;
  changed.own<InfLlmV2Fields>().sparse_config.topk += 1;
  EXPECT_FALSE(changed == before);
  changed = before;
  changed.rope_scaling = YarnConfig{};
  EXPECT_FALSE(changed == before);
}

TEST(ModelConfig, ExtensionsSurviveJson) {
  ModelConfig config = small_config("SLF");
  config.own<SoftmaxFields>().attn_use_rope = true;
  config.rope_scaling = YarnConfig{.factor = 4, .original_max_position_embeddings = 64, .attention_factor = 1.25};
  config.own<LightningFields>().lightning_slopes = {0, 0.1, 0.30000000000000004};
  config.own<SoftmaxFields>().attn_rope_theta = 500;
  config.own<SoftmaxFields>().attn_logits_scaling = {LogitScaling::Kind::kHype, 500.5};
  config.sala_lab.train_length = 8192;
  config.sala_lab.family = "a \"b\" \xc3\xa9";
  const ModelConfig again = ModelConfig::from_json(config.to_json());
  EXPECT_TRUE(again == config) << again.to_json();
  EXPECT_EQ(again.own<LightningFields>().lightning_slopes, config.own<LightningFields>().lightning_slopes);
  EXPECT_EQ(again.own<SoftmaxFields>().attn_logits_scaling, config.own<SoftmaxFields>().attn_logits_scaling);
}

TEST(ModelConfig, MissingLightningFieldsFallBackAsInTheReference) {
  std::string text = small_config("SLF").to_json();
  text = with(text, "\"lightning_nh\": 3,", "");
  text = with(text, "\"lightning_nkv\": 3,", "");
  text = with(text, "\"lightning_head_dim\": 32,", "");
  const ModelConfig config = ModelConfig::from_json(text);
  EXPECT_EQ(config.own<LightningFields>().lightning_nh, 4);
  EXPECT_EQ(config.own<LightningFields>().lightning_nkv, 2);
  EXPECT_EQ(config.own<LightningFields>().lightning_head_dim, 16);
}

TEST(ModelConfig, UnknownKeysAreListedAndMetadataIsNot) {
  std::string text =
      with(small_config("SLF").to_json(), "{", "{\"use_cache\": true, \"dtype\": \"bfloat16\", \"wings\": 2,");
  text = with(text, "\"kernel_size\"", "\"kernels\": 1, \"kernel_size\"");
  EXPECT_EQ(ModelConfig::from_json(text).unknown_keys, (std::vector<std::string>{"sparse_config.kernels", "wings"}));
}

TEST(ModelConfig, OneEosIdIsAList) {
  const std::string text = with(small_config("SLF").to_json(), "\"eos_token_id\": []", "\"eos_token_id\": 5");
  EXPECT_EQ(ModelConfig::from_json(text).eos_token_id, std::vector<int64_t>{5});
}

TEST(ModelConfig, Qwen3IsFullAttentionWithNormedHeadsAndPlainResiduals) {
  const ModelConfig config = ModelConfig::from_json(R"({"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 4096,
    "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "rope_theta": 1000000, "rms_norm_eps": 1e-06, "tie_word_embeddings": false, "attention_bias": false, "max_position_embeddings": 40960,
    "bos_token_id": 151643, "eos_token_id": 151645, "sliding_window": null, "use_sliding_window": false, "hidden_act": "silu",
    "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}})");
  EXPECT_EQ(config.mixer_types, std::vector<std::string>(36, "full-attn"));
  EXPECT_TRUE(config.own<SoftmaxFields>().attn_qk_norm);
  EXPECT_TRUE(config.own<SoftmaxFields>().attn_use_rope);
  EXPECT_FALSE(config.own<SoftmaxFields>().attn_use_output_gate);
  EXPECT_EQ(config.residual_scale(), 1.0);
  EXPECT_EQ(config.logit_divisor(), 1.0);
  EXPECT_EQ(parameter_count(config), 8190735360);
  EXPECT_TRUE(config.unknown_keys.empty());
}

TEST(ModelConfig, SetChangesOneFieldAndChecksTheWhole) {
  ModelConfig config = small_config("SLF");
  config.set("sparse_config.topk", "16");
  EXPECT_EQ(config.own<InfLlmV2Fields>().sparse_config.topk, 16);
  config.set("sala_lab.attn_logits_scaling", "hype 500");
  EXPECT_EQ(config.own<SoftmaxFields>().attn_logits_scaling.value, 500);
  const ModelConfig before = config;
  expect_error(ErrorCode::kConfig, {"sparse_config.topk", "-1", "at least 0"},
               [&] { config.set("sparse_config.topk", "-1"); });
  expect_error(ErrorCode::kConfig, {"raise topk to at least 2"}, [&] { config.set("sparse_config.topk", "1"); });
  expect_error(ErrorCode::kConfig, {"no field 'sparse_config.top'"}, [&] { config.set("sparse_config.top", "1"); });
  EXPECT_TRUE(config == before);
}

struct Refusal {
  std::string from, to;
  ErrorCode code;
  std::vector<std::string> parts;
};

TEST(ModelConfig, WrongFieldsAreRefusedByName) {
  const std::string good = small_config("SLF").to_json();
  const ErrorCode config = ErrorCode::kConfig, format = ErrorCode::kFormat, unsupported = ErrorCode::kUnsupported;
  const std::vector<Refusal> refusals = {
      {"\"hidden_size\": 40", "\"hidden_size\": \"40\"", config, {"hidden_size", "\"40\"", "a whole number of at least 1"}},
      {"\"hidden_size\": 40", "\"hidden_size\": 40.5", config, {"hidden_size", "40.5"}},
      {"\"hidden_size\": 40", "\"hidden_size\": 0", config, {"hidden_size"}},
      {"\"hidden_size\": 40", "\"hidden_size\": 1e30", config, {"hidden_size"}},
      {"\"hidden_size\": 40", "\"hidden_size\": 18446744073709551615", config, {"hidden_size"}},
      {"\"hidden_size\": 40,", "", config, {"'hidden_size' is missing"}},
      {"\"scale_emb\": 3.0,", "", config, {"'scale_emb' is missing"}},
      {"\"model_type\": \"minicpm_sala\"",
       "\"model_type\": \"llama\"",
       config,
       {"model_type", "llama", "minicpm_sala", "qwen3"}},
      {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", config, {"hidden_act", "gelu"}},
      {"\"attention_bias\": false", "\"attention_bias\": true", unsupported, {"attention_bias"}},
      {"\"num_key_value_heads\": 2",
       "\"num_key_value_heads\": 3",
       config,
       {"num_attention_heads 4", "num_key_value_heads 3"}},
      {"\"head_dim\": 16", "\"head_dim\": 15", config, {"head_dim is 15"}},
      {"\"lightning_head_dim\": 32", "\"lightning_head_dim\": 31", config, {"lightning_head_dim is 31"}},
      {"\"lightning_nkv\": 3", "\"lightning_nkv\": 2", config, {"lightning_nh 3", "lightning_nkv 2"}},
      {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", config, {"mixer_types names 3", "num_hidden_layers is 4"}},
      {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 20000", config, {"num_hidden_layers", "1 to 10000"}},
      {"\"minicpm4\"", "\"mamba\"", config, {"mamba", "lightning-attn"}},
      {"\"window_size\": 32", "\"window_size\": 40", config, {"window_size 40", "block_size 16"}},
      {"\"kernel_stride\": 4", "\"kernel_stride\": 8", unsupported, {"kernel_size is 8", "expected 16", "kernel_stride"}},
      {"\"kernel_size\": 8", "\"kernel_size\": 16", unsupported, {"kernel_size is 16", "expected 8", "kernel_stride"}},
      {"\"topk\": 3", "\"topk\": 1", config, {"topk 1", "always read"}},
      {"\"dense_len\": 0", "\"dense_len\": -1", config, {"sparse_config.dense_len", "-1"}},
      {"\"topk\": 3,", "", config, {"'sparse_config.topk' is missing"}},
      {"\"use_nope\": false", "\"use_nope\": 0", config, {"sparse_config.use_nope", "true or false"}},
      {"\"sparse_config\"", "\"sparse\"", config, {"sparse_config", "missing"}},
      {"\"lightning_slopes\": null",
       "\"lightning_slopes\": [1, 2]",
       config,
       {"lightning_slopes has 2", "lightning_nh is 3"}},
      {"\"lightning_slopes\": null", "\"lightning_slopes\": [1, -2, 3]", config, {"lightning_slopes[1]"}},
      {"\"attn_logits_scaling\": null", "\"attn_logits_scaling\": \"hype 1\"", config, {"attn_logits_scaling", "hype 1"}},
      {"\"attn_logits_scaling\": null", "\"attn_logits_scaling\": \"hyper 500\"", config, {"attn_logits_scaling"}},
      {"\"attn_logits_scaling\": null", "\"attn_logits_scaling\": \"hype 1e999\"", config, {"hype 1e999"}},
      {"\"attn_logits_scaling\": null", "\"attn_logits_scaling\": \"hype -\"", config, {"hype -"}},
      {"\"topk\": 3", "\"topk\": 9223372036854775807", config, {"sparse_config.topk", "at most 2147483647"}},
      {"\"attn_logits_scaling\": null", "\"attn_logits_scaling\": 1e300", config, {"attn_logits_scaling", "1e+09"}},
      {"\"attn_logits_scaling\": null", "\"attn_logits_scaling\": 1e-300", config, {"attn_logits_scaling", "1e-09"}},
      {"\"rope_scaling\": null",
       "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2}",
       config,
       {"original_max_position_embeddings", "missing"}},
      {"\"rope_scaling\": null",
       "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"original_max_position_embeddings\": 8}",
       config,
       {"attn_use_rope"}},
      {"\"bos_token_id\": null", "\"bos_token_id\": 97", config, {"bos_token_id is 97", "vocab_size is 97"}},
      {"\"hidden_size\": 40", "\"hidden_size\": 40, \"hidden_size\": 40", format, {"'hidden_size'", "twice"}},
      {"{", "[", format, {"JSON"}},
      {"\"sala_lab\": {", "\"sala_lab\": [{", format, {"JSON"}},
      {"\"family\": \"\"", "\"family\": " + std::string(100000, '['), format, {"deeper"}},
  };
  for (const Refusal& refusal : refusals) {
    std::vector<std::string> parts = refusal.parts;
    parts.push_back("some.json");
    SCOPED_TRACE(refusal.to.substr(0, 80));
    expect_error(refusal.code, parts, [&] { ModelConfig::from_json(with(good, refusal.from, refusal.to), "some.json"); });
  }
  expect_error(format, {"no JSON object"}, [] { ModelConfig::from_json("[1]"); });
  expect_error(format, {"JSON"}, [] { ModelConfig::from_json(""); });
  expect_error(ErrorCode::kIo, {"nowhere"}, [] { ModelConfig::load("/nowhere/config.json"); });
}

TEST(ModelConfig, EveryTruncationIsAnErrorOfOurs) {
  const std::string good = small_config("SLF").to_json();
  for (std::size_t length = 0; length + 2 < good.size(); ++length)
    EXPECT_THROW(ModelConfig::from_json(good.substr(0, length)), Error) << length;
}

TEST(ModelConfig, HelpNamesEveryKey) {
  const std::string help = config_help();
  for (const char* name :
       {"`vocab_size`", "`sparse_config.topk`", "`sala_lab.exact_lse`", "`rope_scaling.factor`", "`mixer_types`"})
    EXPECT_NE(help.find(name), std::string::npos) << name;
}

TEST(ModelConfig, ThePageOfItsFieldsIsTheTableOfTheProgram) {
  const std::string page = read_bytes(std::string(SALA_SOURCE_DIR) + "/docs/config.md");
  EXPECT_NE(page.find("\n\n" + config_help()), std::string::npos) << "docs/config.md should hold\n" << config_help();
}

TEST(ModelConfig, SetReplacesAWholeGroupAndChangesASingleField) {
  ModelConfig config = small_config("FL");
  config.own<SoftmaxFields>().attn_use_rope = true;
  config.set("rope_scaling",
             R"({"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 64, "beta_fast": 8})");
  config.set("rope_scaling.factor", "4");
  EXPECT_EQ(config.rope_scaling->factor, 4);
  EXPECT_EQ(config.rope_scaling->original_max_position_embeddings, 64);
  EXPECT_EQ(config.rope_scaling->beta_fast, 8);
  config.set("rope_scaling", R"({"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 64})");
  EXPECT_EQ(config.rope_scaling->beta_fast, 32);
  expect_error(ErrorCode::kConfig, {"'rope_scaling.factor' is missing"},
               [&] { config.set("rope_scaling", R"({"rope_type": "yarn"})"); });
}

TEST(ModelConfig, ThousandsOfLayersShareTheirConfig) {
  ModelConfig config = qwen3_8b_config();
  config.mixer_types.clear();
  config.num_hidden_layers = kMaxLayers;
  config.resolve();
  EXPECT_EQ(layer_costs(config, 1000).size(), static_cast<std::size_t>(kMaxLayers));
}

TEST(Slopes, ReleasedValues) {  // spec 11, vector 1
  const std::vector<float> slopes = alibi_slopes(32);
  EXPECT_EQ(slopes[3], 0.5f);
  EXPECT_EQ(slopes[7], 0.25f);
  EXPECT_EQ(slopes[31], 1.0f / 256);
  EXPECT_NEAR(std::exp(-static_cast<double>(slopes[3])), 0.60653066, 5e-9);
  EXPECT_NEAR(slopes[0], 0.840896, 5e-7);
}

TEST(Slopes, SixHeadsTakeEverySecondSlopeOfEight) {
  const std::vector<float> four = alibi_slopes(4), eight = alibi_slopes(8);
  EXPECT_EQ(alibi_slopes(6), (std::vector<float>{four[0], four[1], four[2], four[3], eight[0], eight[2]}));
  EXPECT_EQ(alibi_slopes(1), std::vector<float>{1.0f / 256});
}

TEST(Scalings, ReleasedResidualAndLogits) {  // spec 11, vector 8
  EXPECT_NEAR(released_config().residual_scale(), 0.2474873734, 5e-11);
  EXPECT_EQ(released_config().logit_divisor(), 16.0);
}

TEST(LayerMap, ReleasedMapHasItsEightSoftmaxLayers) {
  std::vector<int> softmax;
  const std::vector<std::string> map = released_layer_map();
  for (std::size_t i = 0; i < map.size(); ++i)
    if (map[i] == "minicpm4") softmax.push_back(static_cast<int>(i));
  EXPECT_EQ(softmax, (std::vector<int>{0, 9, 16, 17, 22, 29, 30, 31}));
  EXPECT_EQ(map.size(), 32u);
  EXPECT_EQ(layer_map_string(map), "SLLLLLLLLSLLLLLLSSLLLLSLLLLLLSSS");
}

TEST(LayerMap, RatioKeepsFirstAndLastAndSpreadsTheRest) {
  EXPECT_EQ(layer_map_string(layer_map_from_ratio("1:3", 8)), "SLLLLLLS");
  EXPECT_EQ(layer_map_string(layer_map_from_ratio("1:2", 9)), "SLLLSLLLS");
  EXPECT_EQ(layer_map_string(layer_map_from_ratio("1:1", 6, "full-attn")), "FLLFLF");
  const std::string map = layer_map_string(layer_map_from_ratio("1:3", 32));
  EXPECT_EQ(std::count(map.begin(), map.end(), 'S'), 8);
  EXPECT_EQ(map.front(), 'S');
  EXPECT_EQ(map.back(), 'S');
  EXPECT_EQ(layer_map_string(layer_map_from_ratio("1:0", 3)), "SSS");
  EXPECT_EQ(layer_map_string(layer_map_from_ratio("0:1", 3)), "LLL");
}

TEST(LayerMap, RatiosThatFitNoLayerCountAreRefused) {
  expect_error(ErrorCode::kConfig, {"1:3", "7 layers"}, [] { layer_map_from_ratio("1:3", 7); });
  expect_error(ErrorCode::kConfig, {"1 softmax layer", "8 layers"}, [] { layer_map_from_ratio("1:3", 4); });
  for (const char* bad : {"", "1", "1:", ":3", "1:-3", "0:0", "a:b", "1:3:2", "1.5:2", "99999999999:1"})
    expect_error(ErrorCode::kConfig, {"ratio"}, [&] { layer_map_from_ratio(bad, 8); });
  expect_error(ErrorCode::kConfig, {"'x'", "place 2"}, [] { layer_map_from_string("SLx"); });
  expect_error(ErrorCode::kConfig, {"at least one letter"}, [] { layer_map_from_string(""); });
}

TEST(PositionPolicy, NamesAndSwitchesAgree) {
  ModelConfig config = small_config("SLF");
  for (const char* name : {"rope", "nope", "reverse", "hype"}) {
    apply_position_policy(config, name);
    EXPECT_EQ(position_policy(config), name);
  }
  EXPECT_TRUE(config.own<LightningFields>().lightning_use_rope);
  EXPECT_FALSE(config.own<SoftmaxFields>().attn_use_rope);
  expect_error(ErrorCode::kUsage, {"alibi", "hype, rope, nope, reverse"}, [&] { apply_position_policy(config, "alibi"); });
}

}  // namespace
}  // namespace sala
