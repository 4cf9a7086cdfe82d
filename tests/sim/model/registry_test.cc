// A mixer and an encoding from outside the tree, in config.json, layer maps, plans and costs: each registered by one call.
#include <gtest/gtest.h>

#include "sala/model/cost.h"
#include "sala/model/session.h"
#include "sim/mixers/mixer.h"
#include "sim/model/encodings.h"
#include "sim/model/random_model.h"
#include "sim/model/weights.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

constexpr const char* kToy = "toy-mixer";

struct ToyConfig {
  int64_t width = 4;
  std::vector<double> weights;
  void visit_fields(FieldVisitor& visit) {
    visit("width", width, {"numbers that it keeps", true, 1, 100});
    visit("weights", weights, {"one a number", false, 0, 1});
  }
};

class Toy final : public Mixer {
 public:
  explicit Toy(int64_t width) : width_(width) {}
  std::unique_ptr<MixerState> make_state(const ops::Context&, int64_t) const override {
    return std::make_unique<MixerState>();
  }
  void forward(const MixerContext&, const MixerInput&, MixerState&, TensorView<float, 2>) const override {}
  Bytes state_bytes(int64_t) const override { return {{"toy state", width_}}; }
  int64_t workspace_bytes(const SessionShape&) const override { return 0; }
  MixerCost prefill_cost(int64_t tokens) const override { return {0, {{"toy work", static_cast<double>(width_ * tokens)}}}; }
  MixerCost decode_cost(int64_t) const override { return {0, {{"toy work", static_cast<double>(width_)}}}; }
  MixerCost update_cost(int64_t tokens) const override { return prefill_cost(tokens); }

 private:
  int64_t width_;
};

MixerKind toy_kind() {
  MixerKind kind;
  kind.name = kToy;
  kind.letters = "T";
  kind.state_names = {"toy state"};
  kind.cost_names = {"toy work"};
  kind.visit_fields = [](ModelConfig& config, FieldVisitor& visit) {
    visit("toy_config", config.own<ToyConfig>(), {.help = "the toy's own", .required = true});
  };
  kind.check = [](const ModelConfig& config) {
    if (config.own<ToyConfig>().width % 2 != 0) throw Error(ErrorCode::kConfig, "toy_config.width is odd");
  };
  kind.tensors = [](const ModelConfig& config) {
    return std::vector<TensorSpec>{{"toy.weight", {config.own<ToyConfig>().width, config.hidden_size}}};
  };
  kind.shape = [](const ModelConfig& config) { return LayerShape{1, 1, config.own<ToyConfig>().width}; };
  kind.make = [](const ModelConfig& config, int, const LayerTensors*) -> std::unique_ptr<Mixer> {
    return std::make_unique<Toy>(config.own<ToyConfig>().width);
  };
  return kind;
}

// Takes scratch memory that it does not announce.
class Greedy final : public Mixer {
 public:
  std::unique_ptr<MixerState> make_state(const ops::Context&, int64_t) const override {
    return std::make_unique<MixerState>();
  }
  void forward(const MixerContext& context, const MixerInput&, MixerState&, TensorView<float, 2>) const override {
    const Workspace::Scope scope(context.workspace);
    context.workspace.take<float>(1000000);
  }
  Bytes state_bytes(int64_t) const override { return {}; }
  int64_t workspace_bytes(const SessionShape&) const override { return 64; }
  MixerCost prefill_cost(int64_t) const override { return {}; }
  MixerCost decode_cost(int64_t) const override { return {}; }
  MixerCost update_cost(int64_t) const override { return {}; }
};

MixerKind greedy_kind() {
  MixerKind kind;
  kind.name = "greedy-mixer";
  kind.letters = "G";
  kind.tensors = [](const ModelConfig&) { return std::vector<TensorSpec>(); };
  kind.shape = [](const ModelConfig&) { return LayerShape{1, 1, 2}; };
  kind.make = [](const ModelConfig&, int, const LayerTensors*) -> std::unique_ptr<Mixer> {
    return std::make_unique<Greedy>();
  };
  return kind;
}

// Doubles everything, and takes one number.
class ToyEncoding final : public PositionEncoding {
 public:
  explicit ToyEncoding(double factor) : factor_(static_cast<float>(factor)) {}
  void rotate(const ops::Context&, int64_t, TensorView<float, 3> x) override {
    for (int64_t i = 0; i < x.size(); ++i) x.data[i] *= factor_;
  }
  int64_t table_bytes(int64_t) const override { return 1000; }

 private:
  float factor_;
};

PositionEncodingKind toy_encoding() {
  PositionEncodingKind kind;
  kind.name = "toy-encoding";
  kind.params = {{.name = "factor", .help = "factor on all", .min = 1, .max = 9},
                 {.name = "spare", .help = "for nothing", .fallback = 5}};
  kind.make = [](int64_t, const EncodingParams& params) -> std::unique_ptr<PositionEncoding> {
    return std::make_unique<ToyEncoding>(params.at("factor"));
  };
  return kind;
}

class Registry : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    register_mixer(toy_kind());
    register_mixer(greedy_kind());
    register_position_encoding(toy_encoding());
  }
};

TEST_F(Registry, ConfigsWithoutTheMixerDoNotShowIt) {
  EXPECT_EQ(small_config("SLF").to_json().find("toy"), std::string::npos);
  EXPECT_EQ(Session::plan(small_config("SLF"), {.max_tokens = 100}).items.size(), 6u);
}

TEST_F(Registry, ItsFieldsAreReadWrittenComparedSetAndExplained) {
  ModelConfig config = small_config("STL");
  EXPECT_EQ(layer_map_string(config.mixer_types), "STL");
  config.own<ToyConfig>() = {6, {0.5, 0.25}};
  ModelConfig again = ModelConfig::from_json(config.to_json());
  EXPECT_TRUE(again == config);
  EXPECT_TRUE(again.unknown_keys.empty());
  EXPECT_EQ(again.to_json(), config.to_json());
  EXPECT_EQ(again.own<ToyConfig>().weights, (std::vector<double>{0.5, 0.25}));
  again.set("toy_config.width", "8");
  EXPECT_EQ(again.own<ToyConfig>().width, 8);
  EXPECT_FALSE(again == config);
  expect_error(ErrorCode::kConfig, {"width is odd"}, [&] { again.set("toy_config.width", "7"); });
  expect_error(ErrorCode::kConfig, {"toy_config.width", "from 1 to 100"}, [&] { again.set("toy_config.width", "101"); });
  expect_error(ErrorCode::kConfig, {"no field 'toy_config.height'"}, [&] { again.set("toy_config.height", "1"); });
  EXPECT_TRUE(uses_field(config, "toy_config.width"));
  EXPECT_FALSE(uses_field(small_config("SL"), "toy_config.width"));
  EXPECT_NE(config_help().find("| `toy_config.width` | a whole number from 1 to 100 | required |"), std::string::npos);

  std::string text = config.to_json();
  text.replace(text.find("\"toy_config\""), 12, "\"toy_konfig\"");
  expect_error(ErrorCode::kConfig, {"'toy_config' is missing"}, [&] { ModelConfig::from_json(text); });
}

TEST_F(Registry, PlansCostsAndTensorsHaveItsItems) {
  const ModelConfig config = small_config("STT");
  const MemoryPlan plan = Session::plan(config, {.max_tokens = 100});
  std::vector<std::string> names;
  for (const MemoryPlan::Item& item : plan.items) {
    names.push_back(item.name);
    EXPECT_TRUE(item.name != "toy state" || item.bytes == 2 * 4) << item.bytes;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"weights", "kv cache", "compressed keys", "linear state", "toy state",
                                             "activations", "workspace"}));
  EXPECT_EQ(prefill_cost(config, 10).of("toy work"), 2 * 4 * 10);
  EXPECT_EQ(layer_costs(config, 10)[1].state_bytes, 4);
  int own = 0;
  for (const TensorSpec& spec : model_tensors(config)) own += spec.name.ends_with(".toy.weight") ? 1 : 0;
  EXPECT_EQ(own, 2);
}

std::vector<float> logits_of(const ModelConfig& config) {
  const Model model = random_model(config, 3);
  Session session(model, {.max_tokens = 40});
  session.prefill(random_ids(config, 33));
  return {session.logits().begin(), session.logits().end()};
}

TEST_F(Registry, AMixerThatTakesMoreThanItSaysIsNamed) {
  const Model model = random_model(small_config("SG"), 3);
  Session session(model, {.max_tokens = 40});
  expect_error(ErrorCode::kInternal, {"took 40", "workspace_bytes says too little"},
               [&] { session.prefill(random_ids(model.config(), 33)); });
}

TEST_F(Registry, AnEncodingIsChosenLayerByLayer) {
  ModelConfig config = small_config("SLF");
  config.set("sala_lab.position_encodings", R"([{"type": "toy-encoding", "factor": 2}, null, "nope"])");
  EXPECT_EQ(position_policy(config), "custom");
  EXPECT_EQ(layer_encoding(config, 0), (EncodingChoice{"toy-encoding", {{"factor", 2}, {"spare", 5}}}));
  EXPECT_EQ(layer_encoding(config, 1), rope_encoding(config.rope_theta));
  EXPECT_EQ(layer_encoding(config, 2), no_encoding());
  const ModelConfig again = ModelConfig::from_json(config.to_json());
  EXPECT_EQ(again.sala_lab.position_encodings, config.sala_lab.position_encodings);
  EXPECT_EQ(again.to_json(), config.to_json());
  EXPECT_NE(logits_of(config), logits_of(small_config("SLF")));

  config.set("sala_lab.position_encodings", "null");
  EXPECT_TRUE(config == small_config("SLF"));
  config.set("sala_lab.position_encodings", "rope");  // one stands for all
  ModelConfig everywhere = small_config("SLF");
  apply_position_policy(everywhere, "rope");
  EXPECT_EQ(logits_of(config), logits_of(everywhere));
}

TEST_F(Registry, LayersOfOneEncodingAndWidthShareIt) {
  ModelConfig config = small_config("SFLL");
  config.sala_lab.position_encodings = {{"toy-encoding", {{"factor", 2}}}};
  const LayerEncodings shared(config);
  EXPECT_EQ(&shared.of(0), &shared.of(1));
  EXPECT_EQ(&shared.of(2), &shared.of(3));
  EXPECT_NE(&shared.of(0), &shared.of(2));  // heads of another width
  EXPECT_EQ(shared.table_bytes(1), 2000);
  config.sala_lab.position_encodings = {{"toy-encoding", {{"factor", 2}}}, {"toy-encoding", {{"factor", 3}}}, {}, {}};
  EXPECT_NE(&LayerEncodings(config).of(0), &LayerEncodings(config).of(1));
}

TEST_F(Registry, WrongEncodingsAreRefused) {
  ModelConfig config = small_config("SLF");
  const auto refused = [&](const std::string& value, const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kConfig, parts, [&] { config.set("sala_lab.position_encodings", value); });
  };
  refused("\"alibi\"", {"'alibi'", "nope, rope, yarn, toy-encoding"});
  refused(R"(["rope", "rope"])", {"has 2 entries", "3 layers"});
  refused("toy-encoding", {"'factor' is missing"});
  refused(R"({"type": "toy-encoding", "factor": 10})", {"'factor' is 10", "from 1 to 9"});
  refused(R"({"type": "rope", "thetta": 10})", {"no number 'thetta'", "theta"});
  refused(R"({"type": "rope", "theta": "x"})", {"sala_lab.position_encodings"});
  refused(R"({"theta": 10})", {"sala_lab.position_encodings"});
  refused("yarn", {"'factor' is missing"});
  config.set("sparse_config.use_nope", "true");
  expect_error(ErrorCode::kUnsupported, {"use_nope"}, [&] { config.set("sala_lab.position_encodings", "rope"); });
  expect_error(ErrorCode::kConfig, {"there already"}, [] { register_position_encoding(toy_encoding()); });
}

TEST_F(Registry, TakenNamesAndLettersAndMissingPartsAreRefused) {
  const auto refused = [](const std::vector<std::string>& parts, void (*change)(MixerKind&)) {
    MixerKind kind = toy_kind();
    kind.name = "another";
    kind.letters = "A";
    change(kind);
    expect_error(ErrorCode::kConfig, parts, [&] { register_mixer(kind); });
  };
  refused({"'toy-mixer' is there already"}, [](MixerKind& kind) { kind.name = kToy; });
  refused({"'another'", "letter l", "lightning-attn"}, [](MixerKind& kind) { kind.letters = "l"; });
  refused({"a letter"}, [](MixerKind& kind) { kind.letters.clear(); });
  refused({"make"}, [](MixerKind& kind) { kind.make = nullptr; });
  refused({"selects"}, [](MixerKind& kind) { kind.traits.selects = true; });
  expect_error(ErrorCode::kConfig, {"'another'", "toy-mixer"}, [] { find_mixer("another"); });
}

}  // namespace
}  // namespace sala
