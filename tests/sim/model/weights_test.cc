// Weights: what a checkpoint must hold, saving and loading, overriding a config.
#include "sim/model/weights.h"

#include <gtest/gtest.h>

#include "sala/model/model.h"
#include "sala/model/session.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/softmax_fields.h"
#include "sim/model/random_model.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

// Another source with some tensors changed.
class ChangedSource final : public WeightSource {
 public:
  explicit ChangedSource(const ModelConfig& config) : inner_(config, 1) {
    for (const std::string& name : inner_.names()) shapes[name] = inner_.shape(name);
  }
  std::string description() const override { return "changed"; }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, shape] : shapes) names.push_back(name);
    return names;
  }
  std::vector<int64_t> shape(const std::string& name) const override { return shapes.at(name); }
  void read(const std::string& name, std::span<float> out) const override {
    inner_.read(name, out);
    ++reads[name];
    if (name == poisoned) out[static_cast<std::size_t>(at)] = value;
  }
  std::map<std::string, std::vector<int64_t>> shapes;
  std::string poisoned;  // the tensor that has `value` at element `at`
  int64_t at = 0;
  float value = 0;
  mutable std::map<std::string, int> reads;

 private:
  RandomSource inner_;
};

std::vector<float> logits_of(const Model& model, const std::vector<int32_t>& ids) {
  SessionOptions options;
  options.max_tokens = static_cast<int64_t>(ids.size());
  Session session(model, options);
  session.prefill(ids);
  return {session.logits().begin(), session.logits().end()};
}

TEST(Weights, TensorsFollowTheSwitches) {
  const auto has = [](const ModelConfig& config, const std::string& name) {
    for (const TensorSpec& spec : model_tensors(config))
      if (spec.name == "model.layers.0.self_attn." + name) return true;
    return false;
  };
  ModelConfig softmax = small_config("S"), linear = small_config("L");
  EXPECT_TRUE(has(softmax, "o_gate.weight") && has(softmax, "q_norm.weight") && !has(softmax, "z_proj.weight") &&
              !has(softmax, "o_norm.weight"));
  EXPECT_TRUE(has(linear, "z_proj.weight") && has(linear, "k_norm.weight") && has(linear, "o_norm.weight") &&
              !has(linear, "o_gate.weight"));
  auto& of_softmax = softmax.own<SoftmaxFields>();
  of_softmax.attn_use_output_gate = of_softmax.attn_qk_norm = false;
  auto& of_linear = linear.own<LightningFields>();
  of_linear.use_output_gate = of_linear.use_output_norm = of_linear.qk_norm = false;
  EXPECT_FALSE(has(softmax, "o_gate.weight") || has(softmax, "q_norm.weight"));
  EXPECT_FALSE(has(linear, "z_proj.weight") || has(linear, "k_norm.weight") || has(linear, "o_norm.weight"));
}

TEST(Weights, EveryTensorIsReadOnce) {
  for (const bool tied : {false, true}) {
    ModelConfig config = small_config("SL");
    config.tie_word_embeddings = tied;
    const ChangedSource source(config);
    Workspace workspace;
    ThreadPool pool(1);
    build_weights({cpu_device(), ops::find_kernels("best"), Numerics::kFp32, workspace, pool}, config, source);
    for (const auto& [name, shape] : source.shapes) EXPECT_EQ(source.reads[name], 1) << name << (tied ? ", tied" : "");
  }
}

TEST(Weights, TiedModelsHaveNoHead) {
  ModelConfig config = small_config("L");
  const int64_t untied = parameter_count(config);
  config.tie_word_embeddings = true;
  EXPECT_EQ(untied - parameter_count(config), config.vocab_size * config.hidden_size);
}

TEST(Weights, EveryTensorThatDoesNotFitIsNamed) {
  const ModelConfig config = small_config("SL");
  ChangedSource source(config);
  source.shapes.erase("model.norm.weight");
  source.shapes.erase("model.layers.1.self_attn.z_proj.weight");
  source.shapes["model.layers.0.self_attn.z_proj.weight"] = {1, 1};
  source.shapes["model.layers.0.mlp.up_proj.weight"] = {56, 41};
  expect_error(ErrorCode::kFormat,
               {"changed", "2 missing: ", "model.norm.weight", "model.layers.1.self_attn.z_proj.weight",
                "1 surplus: model.layers.0.self_attn.z_proj.weight",
                "1 of wrong shape: model.layers.0.mlp.up_proj.weight is [56, 41], the config says [56, 40]"},
               [&] { check_tensors(config, source); });
}

TEST(Weights, RotaryBuffersAreSkipped) {
  const ModelConfig config = small_config("SL");
  ChangedSource source(config);
  source.shapes["model.layers.0.self_attn.rotary_emb.inv_freq"] = {8};
  source.shapes["model.rotary_emb.cos_cached"] = {8, 8};
  EXPECT_NO_THROW(check_tensors(config, source));
}

// Writes `config` with random weights and, beside them, `head` as lm_head.weight.
void write_with_head(const std::string& folder, const ModelConfig& config, float first_difference, DType dtype) {
  const RandomSource source(config, 3);
  SafetensorsWriter writer;
  for (const std::string& name : source.names()) {
    std::vector<float> values(static_cast<std::size_t>(TensorInfo{name, DType::kF32, source.shape(name)}.elements()));
    source.read(name, values);
    for (float& value : values) value = bf16_to_float(float_to_bf16(value));
    writer.add_floats(name, source.shape(name), values);
    if (name != "model.embed_tokens.weight") continue;
    values[0] += first_difference;
    writer.add_floats("lm_head.weight", source.shape(name), values, dtype);
  }
  writer.write(folder + "/model.safetensors");
  write_bytes(folder + "/config.json", config.to_json());
}

TEST(Weights, AStoredHeadOfATiedModelHasToBeTheEmbedding) {
  ModelConfig config = small_config("SL");
  config.tie_word_embeddings = true;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    const TemporaryFolder same, other;
    write_with_head(same.path(), config, 0, dtype);
    EXPECT_NO_THROW(Model::load(same.path()));
    write_with_head(other.path(), config, 1, dtype);
    expect_error(ErrorCode::kFormat, {"lm_head.weight", "tie_word_embeddings", "differ"},
                 [&] { Model::load(other.path()); });
  }
}

TEST(Weights, QuantisedFoldersAndAdaptersAreRefusedByName) {
  const ModelConfig config = small_config("SL");
  ChangedSource source(config);
  source.shapes["model.layers.0.mlp.up_proj.qweight"] = {1, 1};
  expect_error(ErrorCode::kUnsupported, {"up_proj.qweight", "quantised"}, [&] { check_tensors(config, source); });
  for (const char* name : {"quantize_config.json", "adapter_config.json"}) {
    const TemporaryFolder folder;
    save_model(folder.path(), config, RandomSource(config, 1), DType::kF32);
    EXPECT_NO_THROW(Model::load(folder.path()));
    write_bytes(folder.file(name), "{}");
    expect_error(ErrorCode::kUnsupported, {name}, [&] { Model::load(folder.path()); });
  }
}

TEST(Model, SavedAndLoadedIsTheSameModel) {
  const ModelConfig config = small_config("SLF");
  const RandomSource source(config, 3);
  const TemporaryFolder first, second;
  save_model(first.path(), config, source, DType::kF32);
  const Model loaded = Model::load(first.path());
  EXPECT_TRUE(loaded.config() == config);
  EXPECT_EQ(loaded.parameter_count(), parameter_count(config));
  const std::vector<int32_t> ids = random_ids(config, 77);
  EXPECT_EQ(logits_of(loaded, ids), logits_of(random_model(config, 3), ids));
  save_model(second.path(), loaded.config(), CheckpointSource(first.path()), DType::kF32);
  for (const char* name : {"config.json", "model.safetensors"})
    EXPECT_TRUE(read_bytes(first.file(name)) == read_bytes(second.file(name))) << name;
}

TEST(Model, Bf16CheckpointsKeepTheirBytes) {
  const ModelConfig config = small_config("L");
  const TemporaryFolder first, second;
  save_model(first.path(), config, RandomSource(config, 4), DType::kBf16);
  save_model(second.path(), config, CheckpointSource(first.path()), DType::kBf16);
  EXPECT_TRUE(read_bytes(first.file("model.safetensors")) == read_bytes(second.file("model.safetensors")));
}

TEST(Model, LoadNamesWhatIsMissing) {
  const TemporaryFolder folder;
  expect_error(ErrorCode::kIo, {"config.json"}, [&] { Model::load(folder.path()); });
  write_bytes(folder.file("config.json"), small_config("L").to_json());
  expect_error(ErrorCode::kIo, {"model.safetensors"}, [&] { Model::load(folder.path()); });
}

TEST(Model, RandomWeightsDependOnSeedAndNameOnly) {
  const ModelConfig small = small_config("L");
  const RandomSource a(small, 1), b(small, 2);
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  std::vector<float> one(56 * 40), again(56 * 40), other(56 * 40);
  a.read(name, one);
  a.read(name, again);
  b.read(name, other);
  EXPECT_EQ(one, again);
  EXPECT_NE(one, other);
  double sum = 0;
  for (const float value : one) sum += static_cast<double>(value) * value;
  EXPECT_NEAR(sum / static_cast<double>(one.size()) * 40, 1, 0.1);  // N(0, 1/fan_in)
}

Model poisoned(const ModelConfig& config, const std::string& name, int64_t at, float value) {
  return Model(config, [=] {
    auto source = std::make_unique<ChangedSource>(config);
    source->poisoned = name, source->at = at, source->value = value;
    return source;
  });
}

TEST(Model, AWeightThatIsNotFiniteIsNamed) {
  const ModelConfig config = small_config("SLF");
  for (const TensorSpec& spec : model_tensors(config)) {
    const int64_t last = (spec.shape.size() == 2 ? spec.shape[0] * spec.shape[1] : spec.shape[0]) - 1;
    for (const float value : {NAN, INFINITY, -INFINITY})
      expect_error(ErrorCode::kFormat, {"changed", spec.name + " holds", fmt::format("element {}", last)}, [&] {
        const Model model = poisoned(config, spec.name, last, value);
        Session(model, {.max_tokens = 10});
      });
  }
}

TEST(Model, WeightsThatOverflowAreRefusedWithTheirLayer) {
  const auto refused = [](const std::string& name, const std::vector<std::string>& parts) {
    ModelConfig config = small_config("SLF");
    config.dim_model_base = 4000;  // large logits
    for (const char* kernels : {"best", "portable"})
      for (const int64_t chunk : {0, 7}) {
        SCOPED_TRACE(name);
        const Model model = poisoned(config, name, 3, 3e38f);
        Session session(model, {.max_tokens = 150, .chunk_tokens = chunk, .kernels = kernels});
        expect_error(ErrorCode::kUnsupported, parts, [&] { session.prefill(random_ids(config, 150)); });
      }
  };
  refused("model.embed_tokens.weight", {"layer 0 (minicpm4)", "range of float32"});  // times scale_emb
  refused("model.layers.0.self_attn.v_proj.weight", {"layer 0 (minicpm4)"});
  refused("model.layers.1.self_attn.q_proj.weight", {"layer 1 (lightning-attn)"});
  refused("model.layers.1.self_attn.o_norm.weight", {"layer 1 (lightning-attn)"});
  refused("model.layers.1.mlp.up_proj.weight", {"layer 1 (lightning-attn)"});
  refused("model.layers.2.self_attn.k_norm.weight", {"layer 2 (full-attn)"});
  refused("model.layers.2.mlp.down_proj.weight", {"the head", "tokens from"});  // finite, but not its squares
  refused("lm_head.weight", {"a logit of the head"});
}

TEST(Model, OverrideChangesSwitchesButNotWeights) {
  Model model = random_model(small_config("SL"), 5);
  const std::vector<int32_t> ids = random_ids(model.config(), 150);
  const std::vector<float> before = logits_of(model, ids);
  ModelConfig changed = model.config();
  changed.own<InfLlmV2Fields>().sparse_config.topk = 2;
  model.override_config(changed);
  EXPECT_NE(logits_of(model, ids), before);
  ModelConfig other = changed;
  other.own<LightningFields>().lightning_use_rope = false;
  expect_error(ErrorCode::kConfig, {"lightning_use_rope"}, [&] { model.override_config(other); });
  other = changed;
  other.own<LightningFields>().use_output_gate = false;
  expect_error(ErrorCode::kConfig, {"z_proj"}, [&] { model.override_config(other); });
  other = changed;
  other.mixer_types = layer_map_from_string("FL");
  expect_error(ErrorCode::kConfig, {"mixer_types"}, [&] { model.override_config(other); });
  other = changed;
  other.own<SoftmaxFields>().attn_use_rope = true;
  expect_error(ErrorCode::kConfig, {"attn_use_rope"}, [&] { model.override_config(other); });
  other = changed;
  other.sala_lab.position_encodings = {{"rope", {{"theta", 500}}}};
  expect_error(ErrorCode::kConfig, {"sala_lab.position_encodings"}, [&] { model.override_config(other); });
  EXPECT_TRUE(model.config() == changed);
}

}  // namespace
}  // namespace sala
