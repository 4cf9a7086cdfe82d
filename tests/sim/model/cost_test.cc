// Counts that follow from the config alone, against spec sections 9 and 11.
#include "sala/model/cost.h"

#include <gtest/gtest.h>

#include <map>

#include "sala/model/session.h"
#include "sim/mixers/layer_math.h"
#include "sim/model/random_model.h"
#include "sim/model/weights.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

constexpr double kTableDigits = 1e-3;   // the tables have four digits
constexpr double kCoarseDigits = 6e-3;  // some have three

TEST(ReleasedConfig, WeightCount) {  // spec 11, vector 9
  EXPECT_EQ(parameter_count(released_config()), 9477203968);
  std::map<std::string, int> count;
  for (const TensorSpec& spec : model_tensors(released_config())) {
    const auto dot = spec.name.find("self_attn.");
    if (dot != std::string::npos) ++count[spec.name.substr(dot + 10)];
  }
  EXPECT_EQ(count["o_gate.weight"], 8);
  for (const char* name : {"z_proj.weight", "q_norm.weight", "k_norm.weight", "o_norm.weight"})
    EXPECT_EQ(count[name], 24) << name;
}

TEST(Windows, CountsOfSpecElevenVectorThree) {
  EXPECT_EQ(windows_within(32, 32, 16), 1);
  EXPECT_EQ(windows_within(47, 32, 16), 1);
  EXPECT_EQ(windows_within(48, 32, 16), 2);
  EXPECT_EQ(windows_within(8192, 32, 16), 511);
  EXPECT_EQ(windows_within(127, 128, 64), 0);
  EXPECT_EQ(windows_within(128, 128, 64), 1);
  EXPECT_EQ(windows_within(8192, 128, 64), 127);
}

TEST(Windows, VisibleCountsOfSpecElevenVectorFour) {
  for (int64_t t = 0; t <= 30; ++t) EXPECT_EQ(windows_within(t + 1, 32, 16), 0);
  for (int64_t t = 31; t <= 46; ++t) EXPECT_EQ(windows_within(t + 1, 32, 16), 1);
  EXPECT_EQ(windows_within(48, 32, 16), 2);
  EXPECT_EQ(windows_within(127, 128, 64), 0);
  EXPECT_EQ(windows_within(128, 128, 64), 1);
}

TEST(Windows, SumIsTheSumOfTheCounts) {
  for (const auto& [kernel, stride] : {std::pair<int64_t, int64_t>{32, 16}, {8, 8}, {1, 1}, {12, 3}}) {
    double sum = 0;
    for (int64_t tokens = 1; tokens <= 100; ++tokens) {
      sum += static_cast<double>(windows_within(tokens, kernel, stride));
      EXPECT_EQ(sum_of_windows(tokens, kernel, stride), sum) << tokens;
    }
  }
}

TEST(Cost, AttendedTokensOfPosition10000) {  // spec 11, vector 6
  const ModelConfig config = released_config();
  const double per_key = 4.0 * 4096 * 8;
  EXPECT_EQ(decode_cost(config, 10001).of("softmax") / per_key, 6097);
  for (const int64_t t : {int64_t{8191}, int64_t{12345}, int64_t{100000}})
    EXPECT_EQ(decode_cost(config, t + 1).of("softmax") / per_key, static_cast<double>(6080 + t % 64 + 1)) << t;
}

TEST(Cost, PrefillIsTheSumOfItsTokens) {
  ModelConfig config = small_config("SF");
  const int64_t tokens = 333;
  double mixing = 0, selection = 0;
  for (int64_t n = 1; n <= tokens; ++n) {
    mixing += decode_cost(config, n).of("softmax");
    selection += decode_cost(config, n).of("selection");
  }
  EXPECT_EQ(prefill_cost(config, tokens).of("softmax"), mixing);
  EXPECT_EQ(prefill_cost(config, tokens).of("selection"), selection);
}

// Adds up the keys that the heads read.
class CountKeys final : public Observer {
 public:
  std::vector<std::string> sites() const override { return {std::string(site::kAttention)}; }
  bool wants(std::string_view, int, int64_t) const override { return true; }
  void on_tap(const Tap& tap) override { keys[tap.layer] += static_cast<double>(tap["keys"].extent()[0]); }
  std::map<int, double> keys;  // by layer
};

TEST(Cost, AttentionIsWhatTheSessionReads) {
  const ModelConfig config = small_config("SFLS");
  const int64_t tokens = 333;
  const Model model = random_model(config, 7);
  SessionOptions options;
  options.max_tokens = tokens;
  options.chunk_tokens = 50;
  Session session(model, options);
  CountKeys count;
  session.set_observer(&count);
  session.prefill(random_ids(config, tokens));
  ASSERT_EQ(count.keys.size(), 3u);  // the linear layer has none
  double keys = 0;
  for (const auto& [layer, read] : count.keys) keys += read;
  EXPECT_EQ(prefill_cost(config, tokens).of("softmax"), 4.0 * static_cast<double>(config.head_dim) * keys);
  EXPECT_LT(count.keys[0], count.keys[1]);  // selected, and all
}

TEST(Cost, PruningLeavesOutAllButTheLastTokenOfTheLastLayer) {
  for (const std::string letters : {"SF", "FS", "FL"}) {
    const ModelConfig config = small_config(letters), first = small_config(letters.substr(0, 1));
    const int64_t tokens = 333;
    const Flops whole = prefill_cost(config, tokens), done = pruned_prefill_cost(config, tokens),
                one = decode_cost(config, tokens);
    EXPECT_LT(done.total(), whole.total()) << letters;
    if (letters.back() != 'L') {  // one token of a chunk counts more than one that is decoded
      EXPECT_EQ(pruned_prefill_cost(config, 1).total(), prefill_cost(config, 1).total()) << letters;
    }
    for (const char* name : {"softmax", "selection"}) {
      const double last_layer = one.of(name) - decode_cost(first, tokens).of(name);
      EXPECT_NEAR(done.of(name), prefill_cost(first, tokens).of(name) + last_layer, 1e-9 * whole.total())
          << letters << " " << name;
    }
    EXPECT_EQ(done.of("head"), whole.of("head"));
  }
  const double per_token = 2.0 * 40 * 2 * 3 * 32 + 2.0 * 32 * 32 * 3;  // keys, values and state of a Lightning layer
  const Flops a = pruned_prefill_cost(small_config("L"), 100), b = pruned_prefill_cost(small_config("L"), 101);
  EXPECT_NEAR(b.total() - a.total(), per_token, 1e-6);
}

TEST(Cost, AMillionTokensOfTheDefaultMember) {
  const ModelConfig config = ModelConfig::load(SALA_SOURCE_DIR "/models/sala-tiny/config.json");
  EXPECT_NEAR(prefill_cost(config, 1000000).total() / 34e12, 1, 0.03);
  EXPECT_NEAR(pruned_prefill_cost(config, 1000000).total() / 23e12, 1, 0.03);
}

TEST(Cost, PrefillTotalsOfSpecNineFour) {
  struct Row {
    int64_t tokens;
    double sala_linear, stage1, stage2, lightning, sala, qwen_linear, qwen_attention, qwen;
  };
  for (const Row& row : {Row{65536, 1.163e15, 1.10e13, 5.01e13, 4.95e12, 1.229e15, 9.10e14, 1.267e15, 2.177e15},
                         Row{1048576, 1.861e16, 2.815e15, 8.38e14, 7.92e13, 2.234e16, 1.457e16, 3.243e17, 3.388e17},
                         Row{2097152, 3.723e16, 1.126e16, 1.68e15, 1.58e14, 5.032e16, 2.913e16, 1.297e18, 1.326e18}}) {
    const Flops sala = prefill_cost(released_config(), row.tokens), qwen = prefill_cost(qwen3_8b_config(), row.tokens);
    EXPECT_NEAR(sala.of("projections+FFN") / row.sala_linear, 1, kTableDigits);
    EXPECT_NEAR(sala.of("selection") / row.stage1, 1, kCoarseDigits);
    EXPECT_NEAR(sala.of("softmax") / row.stage2, 1, kCoarseDigits);
    EXPECT_NEAR(sala.of("linear") / row.lightning, 1, kCoarseDigits);
    EXPECT_NEAR(sala.total() / row.sala, 1, kTableDigits);
    EXPECT_NEAR(qwen.of("projections+FFN") / row.qwen_linear, 1, kTableDigits);
    EXPECT_NEAR(qwen.of("softmax") / row.qwen_attention, 1, kTableDigits);
    EXPECT_NEAR(qwen.total() / row.qwen, 1, kTableDigits);
  }
}

TEST(Cost, DecodeTotalsOfSpecNineFour) {
  EXPECT_NEAR(decode_cost(released_config(), 65536).total() / 1.95e10, 1, kCoarseDigits);
  EXPECT_NEAR(decode_cost(released_config(), 2097152).total() / 2.99e10, 1, kCoarseDigits);
  EXPECT_NEAR(decode_cost(qwen3_8b_config(), 1048576).total() / 6.34e11, 1, kCoarseDigits);
}

int64_t item(const MemoryPlan& plan, const std::string& name) {
  for (const MemoryPlan::Item& entry : plan.items)
    if (entry.name == name) return entry.bytes;
  ADD_FAILURE() << name;
  return -1;
}

// Spec 9.2 counts two bytes an element, this engine keeps four.
TEST(MemoryPlan, TwoMillionTokensOfTheReleasedModel) {
  const int64_t tokens = 2097152;
  SessionOptions options;
  options.max_tokens = tokens;
  const MemoryPlan plan = Session::plan(released_config(), options);
  EXPECT_EQ(item(plan, "kv cache"), 2 * 8192 * tokens);
  EXPECT_NEAR(static_cast<double>(item(plan, "compressed keys")) / static_cast<double>(2 * 320 * tokens), 1, 1e-3);
  EXPECT_GE(item(plan, "linear state"), 50331648);
  EXPECT_LE(item(plan, "linear state"), 50331648 * 5 / 2);
  EXPECT_NEAR(static_cast<double>(item(plan, "weights")) / (4.0 * 9477203968), 1, 1e-3);
  EXPECT_GE(plan.chunk_tokens, 512);
  EXPECT_LE(plan.chunk_tokens, 8192);
  EXPECT_LT(item(plan, "activations") + item(plan, "workspace"), int64_t{1} << 30);
  EXPECT_EQ(item(Session::plan(qwen3_8b_config(), options), "kv cache"), 2 * 147456 * tokens);
}

TEST(MemoryPlan, ChunkIsNoLongerThanTheSequence) {
  SessionOptions options;
  options.max_tokens = 100;
  EXPECT_LE(Session::plan(released_config(), options).chunk_tokens, 128);
  options.chunk_tokens = 33;
  EXPECT_EQ(Session::plan(released_config(), options).chunk_tokens, 33);
  options.chunk_tokens = -1;
  expect_error(ErrorCode::kConfig, {"chunk_tokens is -1"}, [&] { Session::plan(released_config(), options); });
  options.max_tokens = 0;
  expect_error(ErrorCode::kConfig, {"max_tokens is 0"}, [&] { Session::plan(released_config(), options); });
}

TEST(LayerCosts, AddUpToTheTotalsAndToThePlan) {
  ModelConfig config = small_config("SLF");
  for (const int64_t tokens : {20, 333, 5000}) {
    const std::vector<LayerCost> layers = layer_costs(config, tokens);
    ASSERT_EQ(layers.size(), 3u);
    LayerCost sum;
    for (const LayerCost& layer : layers) {
      sum.prefill_flops += layer.prefill_flops;
      sum.decode_flops += layer.decode_flops;
      sum.state_bytes += layer.state_bytes;
    }
    const Flops prefill = prefill_cost(config, tokens), decode = decode_cost(config, tokens);
    EXPECT_NEAR(sum.prefill_flops, prefill.total() - prefill.of("head"), 1e-9 * sum.prefill_flops);
    EXPECT_NEAR(sum.decode_flops, decode.total() - decode.of("head"), 1e-9 * sum.decode_flops);
    SessionOptions options;
    options.max_tokens = tokens;
    int64_t planned = 0;
    for (const MemoryPlan::Item& item : Session::plan(config, options).items)
      if (item.name == "kv cache" || item.name == "compressed keys" || item.name == "linear state") planned += item.bytes;
    EXPECT_EQ(sum.state_bytes, planned);
  }
}

}  // namespace
}  // namespace sala
