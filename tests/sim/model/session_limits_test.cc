// Sessions: dense and sparse, dense_len, observers, bad calls.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "sala/model/safetensors.h"
#include "sala/model/session.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/model/random_model.h"
#include "tests/sim/model/small_model.h"
#include "tests/sim/model/watcher.h"

namespace sala {
namespace {

SessionOptions room_for(int64_t tokens, int64_t chunk = 0) {
  SessionOptions options;
  options.max_tokens = tokens;
  options.chunk_tokens = chunk;
  return options;
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

std::vector<float> logits_of(const Model& model, const std::vector<int32_t>& ids) {
  Session session(model, room_for(static_cast<int64_t>(ids.size())));
  session.prefill(ids);
  return copy(session.logits());
}

// Blocks of every tenth position, by layer and position.
class CountingProbe : public Observer {
 public:
  std::vector<std::string> sites() const override { return {std::string(site::kBlockScores)}; }
  bool wants(std::string_view, int, int64_t position) const override { return position % 10 == 3; }
  void on_tap(const Tap& tap) override {
    const int64_t position = tap.position;
    const auto blocks = tap["blocks"].as<int32_t, 2>();
    const auto scores = tap["scores"].as<float, 2>();
    EXPECT_EQ(tap["block_size"].number(), 16);
    EXPECT_EQ(scores.extent[1], position / 16 + 1);
    std::vector<int32_t> row;
    for (int64_t g = 0; g < blocks.extent[0]; ++g) {
      EXPECT_TRUE(std::isinf(scores[g][0]) && scores[g][0] > 0);
      EXPECT_TRUE(std::isinf(scores[g][position / 16]));
      for (int64_t s = 0; s < blocks.extent[1]; ++s) row.push_back(blocks[g][s]);
    }
    if (!seen[tap.layer].empty()) {
      EXPECT_GT(position, seen[tap.layer].rbegin()->first);
    }
    seen[tap.layer][position] = row;
  }
  std::map<int, std::map<int64_t, std::vector<int32_t>>> seen;
};

// Spec 11, vector 7, with the released selection: up to 6144 tokens nothing is left out.
TEST(SparseEqualsDense, ReleasedSelectionUpTo6144Tokens) {
  ModelConfig config = small_config("S");
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.own<InfLlmV2Fields>().sparse_config = SparseConfig{};
  config.own<InfLlmV2Fields>().sparse_config.dense_len = 0;
  Model model = random_model(config, 11);
  const std::vector<int32_t> ids = random_ids(config, 6145);
  std::map<bool, std::vector<float>> hidden;
  std::map<bool, std::vector<float>> last;
  for (const bool dense : {false, true}) {
    config.own<InfLlmV2Fields>().sparse_config.dense_len = dense ? 100000 : 0;
    model.override_config(config);
    Session session(model, room_for(6145));
    Watcher watcher(site::kHidden, [&](const Tap& tap) {
      const auto h = tap["hidden"].as<float, 2>();
      if (tap.layer == 0) hidden[dense].insert(hidden[dense].end(), h.data, h.data + h.size());
    });
    session.set_observer(&watcher);
    session.prefill(std::span(ids).first(6144));
    session.set_observer(nullptr);
    session.decode(ids[6144]);
    last[dense] = copy(session.logits());
  }
  EXPECT_TRUE(hidden[false] == hidden[true]);
  EXPECT_NE(last[false], last[true]);  // the 97th block has to leave one out
}

TEST(DenseLen, LooksAtTheWholePrompt) {
  ModelConfig config = small_config("SS");
  config.own<InfLlmV2Fields>().sparse_config.dense_len = 150;
  Model model = random_model(config, 12);
  const std::vector<int32_t> ids = random_ids(config, 203), shorter(ids.begin(), ids.begin() + 149);
  const std::vector<float> whole = logits_of(model, ids), dense = logits_of(model, shorter);
  Session session(model, room_for(203));
  session.set_prompt_tokens(203);
  session.prefill(std::span(ids).first(60));
  session.prefill(std::span(ids).subspan(60));
  EXPECT_EQ(copy(session.logits()), whole);
  config.own<InfLlmV2Fields>().sparse_config.dense_len = 0;
  model.override_config(config);
  EXPECT_EQ(logits_of(model, ids), whole);
  EXPECT_NE(logits_of(model, shorter), dense);
}

TEST(DenseLen, DecodingAcrossItCompressesWhatIsCached) {
  ModelConfig config = small_config("SLS");
  config.own<InfLlmV2Fields>().sparse_config.dense_len = 150;
  const Model model = random_model(config, 13);
  const std::vector<int32_t> ids = random_ids(config, 203);
  Session once(model, room_for(203)), each(model, room_for(203));
  CountingProbe probe;
  once.set_observer(&probe);
  once.prefill(std::span(ids).first(149));  // dense
  EXPECT_TRUE(probe.seen.empty());
  for (size_t i = 149; i < 203; ++i) once.decode(ids[i]);
  for (const int32_t id : ids) each.decode(id);
  EXPECT_EQ(copy(once.logits()), copy(each.logits()));
  ASSERT_TRUE(probe.seen.contains(0));
  EXPECT_EQ(probe.seen[0].begin()->first, 153);
}

TEST(Probe, SeesTheSameWithAnySplitAndChangesNothing) {
  const Model model = random_model(small_config("SLFS"), 14);
  const std::vector<int32_t> ids = random_ids(model.config(), 203);
  const std::vector<float> plain = logits_of(model, ids);
  CountingProbe whole, split;
  Session session(model, room_for(203)), pieces(model, room_for(203, 17));
  session.set_observer(&whole);
  session.prefill(ids);
  pieces.set_observer(&split);
  pieces.prefill(ids);
  EXPECT_EQ(copy(session.logits()), plain);
  EXPECT_EQ(copy(pieces.logits()), plain);
  EXPECT_EQ(whole.seen, split.seen);
  EXPECT_EQ(whole.seen.size(), 2u);  // layers 0 and 3; the last one although its early rows are pruned
  EXPECT_EQ(whole.seen[3].size(), 20u);
  EXPECT_EQ(whole.seen[0].size(), whole.seen[3].size());
}

TEST(HiddenSite, ShowsEveryLayerOfEveryChunk) {
  const Model model = random_model(small_config("SLF"), 15);
  const std::vector<int32_t> ids = random_ids(model.config(), 100);
  Session session(model, room_for(100, 64));
  std::map<int, int64_t> rows;
  Watcher watcher(site::kHidden, [&](const Tap& tap) {
    const auto h = tap["hidden"].as<float, 2>();
    EXPECT_EQ(rows[tap.layer], tap.position);
    EXPECT_EQ(h.extent[1], 40);
    rows[tap.layer] += h.extent[0];
  });
  session.set_observer(&watcher);
  session.prefill(ids);
  EXPECT_EQ(rows, (std::map<int, int64_t>{{-1, 100}, {0, 100}, {1, 100}, {2, 100}}));
  EXPECT_EQ(copy(session.logits()), logits_of(model, ids));
}

// Rows of the last layer that nobody else needs are made for the observer, and are those of a run that makes all.
TEST(HiddenSite, RowsOfAPrunedLayerAreThoseOfAWholeOne) {
  const Model model = random_model(small_config("SLF"), 15);
  const std::vector<int32_t> ids = random_ids(model.config(), 100);
  std::map<bool, std::map<int64_t, std::vector<float>>> rows;
  for (const bool prune : {true, false}) {
    SessionOptions options = room_for(100, 32);
    options.prune = prune;
    Session session(model, options);
    const auto wanted = [](int layer, int64_t position) { return layer == 2 && (position % 30 == 7 || position == 99); };
    Watcher watcher(site::kHidden, wanted, [&](const Tap& tap) {
      const auto h = tap["hidden"].as<float, 2>();
      for (int64_t t = 0; t < h.extent[0]; ++t) rows[prune][tap.position + t].assign(h[t].data, h[t].data + h.extent[1]);
    });
    session.set_observer(&watcher);
    session.prefill(ids);
    EXPECT_EQ(copy(session.logits()), logits_of(model, ids));
  }
  EXPECT_EQ(rows[true].size(), 5u);
  EXPECT_EQ(rows[true], rows[false]);
}

// Heads of layer 1 at the ends of chunks: what a model that stops there has, however the prompt is split.
TEST(StateSite, IsTheStateAtTheEndOfAChunkAndChangesNothing) {
  const Model model = random_model(small_config("SLF"), 15);
  const std::vector<int32_t> ids = random_ids(model.config(), 200);
  std::map<int64_t, std::map<int64_t, std::vector<float>>> seen;  // chunk: position: values
  for (const int64_t chunk : {200, 50, 1}) {
    Session session(model, room_for(200, chunk));
    Watcher watcher(site::kState, [&](const Tap& tap) {
      const auto state = tap["state"].as<float, 3>();
      EXPECT_EQ(tap.layer, 1);
      EXPECT_EQ(state.extent, (std::array<int64_t, 3>{3, 32, 32}));
      EXPECT_EQ((tap["decay"].as<float, 1>().extent[0]), 3);
      auto& values = seen[chunk][tap.position];
      for (int64_t h = 0; h < 3; ++h)
        for (int64_t d = 0; d < 32; ++d) values.insert(values.end(), state[h][d].data, state[h][d].data + 32);
    });
    session.set_observer(&watcher);
    session.prefill(ids);
    EXPECT_EQ(copy(session.logits()), logits_of(model, ids));
  }
  EXPECT_EQ(seen[200].size(), 3u);
  EXPECT_EQ(seen[200].begin()->first, 63);
  EXPECT_EQ(seen[200], seen[50]);
  EXPECT_EQ(seen[200], seen[1]);
  EXPECT_NE(seen[200][63], seen[200][127]);
}

TEST(GateSite, ShowsTheRowsThatAreWanted) {
  const Model model = random_model(small_config("SLF"), 15);
  const std::vector<int32_t> ids = random_ids(model.config(), 100);
  Session session(model, room_for(100, 64));
  std::map<int, std::vector<int64_t>> widths;
  std::set<int64_t> positions;
  const auto wanted = [](int, int64_t position) { return position >= 60 && position < 70; };
  Watcher watcher(site::kGate, wanted, [&](const Tap& tap) {
    const auto gate = tap["gate"].as<float, 2>();
    widths[tap.layer].push_back(gate.extent[1]);
    for (int64_t t = 0; t < gate.extent[0]; ++t) positions.insert(tap.position + t);
  });
  session.set_observer(&watcher);
  session.prefill(ids);
  EXPECT_EQ(copy(session.logits()), logits_of(model, ids));
  EXPECT_EQ(positions.size(), 10u);
  EXPECT_EQ(widths, (std::map<int, std::vector<int64_t>>{{0, {64, 64}}, {1, {96, 96}}, {2, {64, 64}}}));
}

TEST(Bf16Class, EveryHiddenValueIsABf16) {
  const Model model = random_model(small_config("SLF"), 16);
  SessionOptions options = room_for(100);
  options.numerics = Numerics::kBf16;
  Session session(model, options);
  int64_t wrong = 0;
  const auto count = [&](const float* values, int64_t size) {
    for (int64_t i = 0; i < size; ++i) wrong += bf16_to_float(float_to_bf16(values[i])) != values[i];
  };
  Watcher watcher(site::kHidden, [&](const Tap& tap) {
    const auto h = tap["hidden"].as<float, 2>();
    count(h.data, h.size());
  });
  session.set_observer(&watcher);
  session.prefill(random_ids(model.config(), 100));
  count(session.logits().data(), static_cast<int64_t>(session.logits().size()));
  EXPECT_EQ(wrong, 0);
}

// Rounding costs some digits and no more: a wrong rounding point or a lost scale would cost all of them.
TEST(Bf16Class, StaysNearFp32) {
  const Model model = random_model(small_config("FLLF"), 16);
  const std::vector<int32_t> ids = random_ids(model.config(), 100);
  SessionOptions options = room_for(100);
  options.numerics = Numerics::kBf16;
  Session session(model, options);
  session.prefill(ids);
  const std::vector<float> exact = logits_of(model, ids);
  double difference = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    difference += std::pow(static_cast<double>(exact[i]) - session.logits()[i], 2);
    size += std::pow(static_cast<double>(exact[i]), 2);
  }
  const double relative = std::sqrt(difference / size);
  EXPECT_LT(relative, 0.03);  // a bf16 step is 2^-8; some tens of roundings on the way
  EXPECT_GT(relative, 1e-4);
}

TEST(Session, ReportsProgressAfterEveryChunkAndMayBeStopped) {
  const Model model = random_model(small_config("SLF"), 17);
  const std::vector<int32_t> ids = random_ids(model.config(), 100);
  Session session(model, room_for(100, 40));
  std::vector<int64_t> done;
  session.prefill(ids, [&](int64_t tokens) { done.push_back(tokens); });
  EXPECT_EQ(done, (std::vector<int64_t>{40, 80, 100}));
  session.reset();
  EXPECT_THROW(session.prefill(ids, [](int64_t) { throw std::runtime_error("stop"); }), std::runtime_error);
  EXPECT_EQ(session.position(), 40);
}

TEST(Session, BadCallsAreRefusedAndChangeNothing) {
  const Model model = random_model(small_config("SLF"), 18);
  Session session(model, room_for(10));
  const std::vector<int32_t> eleven(11, 1), wrong = {1, 97}, negative = {-1};
  expect_error(ErrorCode::kUsage, {"no token"}, [&] { session.logits(); });
  expect_error(ErrorCode::kShape, {"11 tokens", "max_tokens 10"}, [&] { session.prefill(eleven); });
  expect_error(ErrorCode::kShape, {"id 97 at place 1", "vocabulary of 97"}, [&] { session.prefill(wrong); });
  expect_error(ErrorCode::kShape, {"id -1"}, [&] { session.prefill(negative); });
  expect_error(ErrorCode::kShape, {"set_prompt_tokens", "11"}, [&] { session.set_prompt_tokens(11); });
  EXPECT_EQ(session.position(), 0);
  session.prefill({});
  EXPECT_EQ(session.position(), 0);
  session.prefill(std::span(eleven).first(10));
  expect_error(ErrorCode::kShape, {"1 tokens after 10"}, [&] { session.decode(1); });
  SessionOptions unknown = room_for(10);
  unknown.kernels = "abacus";
  expect_error(ErrorCode::kUsage, {"abacus"}, [&] { Session(model, unknown); });
}

TEST(Argmax, LowestIndexWinsATie) {
  const std::vector<float> tied = {1, 3, 2, 3};
  EXPECT_EQ(argmax(tied), 1);
}

}  // namespace
}  // namespace sala
