// Switches at evaluation, in whole sessions: who selects, how often, and what scales logits, positions and decay.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "sala/core/parallel.h"
#include "sala/model/cost.h"
#include "sala/model/session.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/mixer.h"
#include "sim/mixers/softmax_fields.h"
#include "sim/model/random_model.h"
#include "sim/ops/kernels.h"
#include "tests/sim/cuda.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

constexpr int64_t kTokens = 331;      // of blocks of 16; 5 are read: 1 first, own, 2 before it, and 1 free
constexpr double kAgainstRef = 1e-5;  // as session_test.cc
constexpr int64_t kBlock = 16, kSlots = 5;
const TokenSpan kEvidence{95, 130};  // blocks 5 to 8

// Blocks of every query.
class KeepAll final : public Observer {
 public:
  explicit KeepAll(std::string_view where = site::kBlockScores) : site_(where) {}
  std::vector<std::string> sites() const override { return {site_}; }
  bool wants(std::string_view, int, int64_t) const override { return true; }
  void on_tap(const Tap& tap) override {
    const auto blocks = tap["blocks"].as<int32_t, 2>();
    for (int64_t g = 0; g < blocks.extent[0]; ++g) {
      auto& row = seen[{tap.layer, g, tap.position}];
      for (int64_t s = 0; s < blocks.extent[1]; ++s)
        if (blocks[g][s] >= 0) row.insert(blocks[g][s]);
    }
    if (site_ == site::kSelection) return;
    const auto scores = tap["scores"].as<float, 2>();
    EXPECT_EQ(scores.extent[1], tap.position / 16 + 1);
    for (int64_t g = 0; g < scores.extent[0]; ++g)
      pooled[{tap.layer, g, tap.position}].assign(scores[g].data, scores[g].data + scores.extent[1]);
  }
  using Key = std::tuple<int, int64_t, int64_t>;  // layer, KV head, position
  std::map<Key, std::set<int32_t>> seen;
  std::map<Key, std::vector<float>> pooled;

 private:
  std::string site_;
};

// Logits of the last query of every softmax layer, by head and key; hidden rows seen.
class KeepAttention final : public Observer {
 public:
  std::vector<std::string> sites() const override { return {std::string(site::kAttention), std::string(site::kHidden)}; }
  bool wants(std::string_view site, int layer, int64_t position) const override {
    return position == kTokens - 1 || (site == site::kHidden && layer < 2);
  }
  void on_tap(const Tap& tap) override {
    if (tap.site == site::kHidden) {
      for (int64_t t = 0; t < tap["hidden"].extent()[0]; ++t) rows[tap.layer].insert(tap.position + t);
      return;
    }
    EXPECT_EQ(tap.site, site::kAttention) << "nobody asked for it";
    EXPECT_EQ(tap.position, kTokens - 1);
    const auto keys = tap["keys"].as<int64_t, 1>();
    const auto scaled = tap["logits"].as<float, 1>();
    ASSERT_EQ(keys.extent[0], scaled.extent[0]);
    for (int64_t i = 0; i < keys.extent[0]; ++i) logits[{tap.layer, tap["head"].number()}].emplace(keys[i], scaled[i]);
  }
  std::map<std::pair<int, int64_t>, std::map<int64_t, float>> logits;
  std::map<int, std::set<int64_t>> rows;
};

struct Call {
  SelectionPolicy policy;
  int64_t step = kTokens, chunk = 0;
  std::string kernels = "best", device = "cpu";
  Numerics numerics = Numerics::kFp32;
  bool prune = true;
};

std::vector<float> logits_of(const Model& model, const Call& run, Observer* observer = nullptr) {
  SessionOptions options;
  options.max_tokens = kTokens;
  options.chunk_tokens = run.chunk;
  options.kernels = run.kernels;
  options.device = run.device;
  options.numerics = run.numerics;
  options.prune = run.prune;
  Session session(model, options);
  if (has_layer(model.config(), &MixerTraits::selects)) session.set_selection(run.policy);
  session.set_observer(observer);
  const std::vector<int32_t> ids = random_ids(model.config(), kTokens);
  session.set_prompt_tokens(kTokens);
  for (int64_t at = 0; at < kTokens; at += run.step)
    session.prefill(std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(run.step, kTokens - at))));
  return {session.logits().begin(), session.logits().end()};
}

void expect_close(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  double largest = 0, worst = 0;
  size_t where = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(want[i])));
    const double difference = std::fabs(static_cast<double>(got[i]) - want[i]);
    if (!(difference <= worst)) worst = difference, where = i;
  }
  EXPECT_LE(worst, kAgainstRef * largest) << "element " << where << ": " << got[where] << " and " << want[where];
}

Model small_model(const std::string& letters, const std::function<void(ModelConfig&)>& change = {}) {
  ModelConfig config = small_config(letters);
  if (change) change(config);
  config.validate();
  return random_model(config, 7);
}

const std::vector<SelectionPolicy>& policies() {
  static const std::vector<SelectionPolicy> all = {{SelectBy::kLearned, {}, 0},
                                                   {SelectBy::kOracle, {kEvidence}, 0},
                                                   {SelectBy::kAdversary, {kEvidence}, 0},
                                                   {SelectBy::kRandom, {}, 5}};
  return all;
}

// Every value of every site as numbers.
class KeepNumbers final : public Observer {
 public:
  std::vector<std::string> sites() const override {
    return {std::string(site::kHidden),    std::string(site::kSelection), std::string(site::kBlockScores),
            std::string(site::kAttention), std::string(site::kGate),      std::string(site::kState)};
  }
  bool wants(std::string_view, int, int64_t position) const override { return position % 7 == 3 || position >= 120; }
  void on_tap(const Tap& tap) override {
    for (const TapView& view : tap.views) {
      std::vector<double>& into = values[fmt::format("{} {} of layer {}", tap.site, view.name(), tap.layer)];
      if (view.axes().empty())
        into.push_back(static_cast<double>(view.number()));
      else if (view.name() == "keys")
        add(view.as<int64_t, 1>(), into);
      else if (view.name() == "blocks")
        add(view.as<int32_t, 2>(), into);
      else if (view.axes().size() == 1)
        add(view.as<float, 1>(), into);
      else if (view.axes().size() == 2)
        add(view.as<float, 2>(), into);
      else
        add(view.as<float, 3>(), into);
    }
  }
  std::map<std::string, std::vector<double>> values;

 private:
  template <class T, int Rank>
  static void add(TensorView<const T, Rank> view, std::vector<double>& into) {
    for (int64_t i = 0; i < view.extent[0]; ++i)
      if constexpr (Rank == 1)
        into.push_back(static_cast<double>(view[i]));
      else
        add(view[i], into);
  }
};

TEST(Observers, ACudaDeviceTellsTheBytesOfTheCpu) {
  SALA_SKIP_WITHOUT_CUDA();
  for (const char* letters : {"SLS", "FLF"})
    for (const bool per_block : {false, true}) {
      const Model model = small_model(letters, [&](ModelConfig& config) {
        if (per_block) config.own<InfLlmV2Fields>().select_per = "block";
      });
      for (const SelectionPolicy& policy : policies())
        for (const Numerics numerics : {Numerics::kFp32, Numerics::kBf16}) {
          KeepNumbers here, there;
          Call call;
          call.policy = policy;
          call.numerics = numerics;
          call.chunk = 50;
          const std::vector<float> want = logits_of(model, call, &here);
          call.device = "cuda";
          EXPECT_EQ(logits_of(model, call, &there), want) << letters;
          EXPECT_EQ(there.values.size(), here.values.size());
          for (const auto& [name, values] : here.values) EXPECT_EQ(there.values[name], values) << letters << " " << name;
        }
    }
}

// The same weights, dense, sparse, and sparse with room for every block.
TEST(Attention, LogitsAreThoseOfTheKeysThatAreRead) {
  KeepAttention dense, all, few;
  KeepAll selected;
  const auto roomy = [](ModelConfig& config) { config.own<InfLlmV2Fields>().sparse_config.topk = 100; };
  const std::vector<float> out = logits_of(small_model("FLF"), {}, &dense);
  EXPECT_EQ(logits_of(small_model("FLF"), {}), out);
  EXPECT_EQ(logits_of(small_model("SLS", roomy), {}, &all), out);
  Call chunks;
  chunks.chunk = 50;
  logits_of(small_model("SLS"), chunks, &few);
  logits_of(small_model("SLS"), {}, &selected);
  ASSERT_EQ(dense.logits.size(), 8u) << "two layers, four heads";
  EXPECT_EQ(dense.logits, all.logits);
  EXPECT_EQ((dense.logits[{0, 3}].size()), static_cast<size_t>(kTokens));
  for (const auto& [place, logits] : few.logits) {
    const std::set<int32_t>& blocks = selected.seen[{place.first, place.second / 2, kTokens - 1}];
    std::set<int64_t> keys;
    for (const int32_t block : blocks)
      for (int64_t key = block * kBlock; key < std::min((block + 1) * kBlock, kTokens); ++key) keys.insert(key);
    EXPECT_LT(logits.size(), static_cast<size_t>(kTokens));
    ASSERT_EQ(logits.size(), keys.size());
    for (const auto& [key, logit] : logits) {
      EXPECT_EQ(keys.count(key), 1u);
      if (place.first == 0) {
        EXPECT_EQ(logit, (dense.logits[{0, place.second}][key])) << "layer 0 sees the same input";
      }
    }
  }
  std::set<int64_t> every;
  for (int64_t t = 0; t < kTokens; ++t) every.insert(t);
  EXPECT_EQ(few.rows[-1], every);
  EXPECT_EQ(few.rows[1], every);
  EXPECT_EQ(few.rows[2], std::set<int64_t>{kTokens - 1});
}

// q . k * D^-0.5 with the factor of logit scaling, and RoPE turns logits without changing the one of the query's own key.
TEST(Attention, LogitsCarryScalingAndPositions) {
  KeepAttention plain, doubled, turned;
  logits_of(small_model("F"), {}, &plain);
  logits_of(small_model("F",
                        [](ModelConfig& c) {
                          c.own<SoftmaxFields>().attn_logits_scaling = {LogitScaling::Kind::kConstant, 2};
                        }),
            {}, &doubled);
  logits_of(small_model("F", [](ModelConfig& c) { c.own<SoftmaxFields>().attn_use_rope = true; }), {}, &turned);
  int64_t moved = 0;
  for (const auto& [place, logits] : plain.logits)
    for (const auto& [key, logit] : logits) {
      EXPECT_NEAR(doubled.logits[place][key], 2 * logit, 1e-5);
      const float other = turned.logits[place][key];
      if (key == kTokens - 1) {
        EXPECT_NEAR(other, logit, 1e-4);
      }
      moved += std::fabs(other - logit) > 0.01f;
    }
  EXPECT_GT(moved, kTokens);
}

class EveryPolicy : public testing::TestWithParam<std::tuple<size_t, std::string>> {
 protected:
  EveryPolicy()
      : policy_(policies()[std::get<0>(GetParam())]), model_(small_model("SLSS", [](ModelConfig& config) {
          config.own<InfLlmV2Fields>().select_per = std::get<1>(GetParam());
        })) {}
  Call base() const { return {.policy = policy_}; }
  SelectionPolicy policy_;
  Model model_;
};

TEST_P(EveryPolicy, SplitThreadsKernelsPruningAndProbesChangeNoByte) {
  for (const Numerics numerics : {Numerics::kFp32, Numerics::kBf16}) {
    Call run = base();
    run.numerics = numerics;
    const std::vector<float> whole = logits_of(model_, run);
    for (const int64_t step : {1, 15, 64, 127}) {
      Call pieces = run;
      pieces.step = step;
      EXPECT_EQ(logits_of(model_, pieces), whole) << "calls of " << step;
      pieces.prune = false;
      pieces.chunk = 50;
      EXPECT_EQ(logits_of(model_, pieces), whole) << "chunks of 50";
    }
    for (const ops::Kernels& kernels : ops::available_kernels())
      if (!kernels.is_ref()) {
        Call other = run;
        other.kernels = kernels.name;
        EXPECT_EQ(logits_of(model_, other), whole) << kernels.name;
      }
    const int before = num_threads();
    set_num_threads(3);
    EXPECT_EQ(logits_of(model_, run), whole);
    set_num_threads(before);
    KeepAll scores, blocks(site::kSelection);
    EXPECT_EQ(logits_of(model_, run, &scores), whole);
    EXPECT_EQ(logits_of(model_, run, &blocks), whole);
    EXPECT_EQ(blocks.seen, scores.seen);
  }
}

TEST_P(EveryPolicy, AgreesWithTheDoublePrecisionKernels) {
  Call ref = base();
  ref.kernels = "ref";
  expect_close(logits_of(model_, base()), logits_of(model_, ref));
}

// The probe sees what attention reads, whatever the split, decode included.
TEST_P(EveryPolicy, EveryQueryKeepsToThePolicy) {
  KeepAll whole, pieces;
  logits_of(model_, base(), &whole);
  Call run = base();
  run.step = 13;
  logits_of(model_, run, &pieces);
  EXPECT_EQ(whole.seen, pieces.seen);
  EXPECT_EQ(whole.pooled, pieces.pooled);
  EXPECT_EQ(whole.seen.size(), 3u * 2 * kTokens);
  int64_t free_evidence = 0, evidence_read = 0;
  for (const auto& [key, blocks] : whole.seen) {
    const int64_t position = std::get<2>(key), own = position / kBlock;
    const size_t most = static_cast<size_t>(std::min<int64_t>(kSlots, own + 1));
    std::set<int32_t> forced = {0};
    for (int64_t b = std::max<int64_t>(0, own - 2); b <= own; ++b) forced.insert(static_cast<int32_t>(b));
    EXPECT_TRUE(std::includes(blocks.begin(), blocks.end(), forced.begin(), forced.end()));
    EXPECT_LE(blocks.size(), most);
    if (policy_.by != SelectBy::kAdversary) {
      EXPECT_EQ(blocks.size(), most) << position;
    }
    for (int32_t b = 5; b <= 8; ++b) {
      if (b > own || forced.contains(b)) continue;
      free_evidence += 1;
      evidence_read += blocks.contains(b);
      if (policy_.by == SelectBy::kAdversary) {
        EXPECT_FALSE(blocks.contains(b)) << position << " " << b;
      }
    }
    if (policy_.by == SelectBy::kOracle && own >= 8) {
      EXPECT_TRUE(blocks.contains(5)) << position;  // one slot is free: the earliest
    }
    if (std::get<1>(GetParam()) == "block") {
      auto first = key;
      std::get<2>(first) = own * kBlock;
      EXPECT_EQ(blocks, whole.seen[first]) << position;
    }
  }
  EXPECT_GT(free_evidence, 1000);
  if (policy_.by != SelectBy::kAdversary) {
    EXPECT_GT(evidence_read, 0);
  }
}

std::string policy_name(const testing::TestParamInfo<std::tuple<size_t, std::string>>& test) {
  return std::string(select_by_table()[std::get<0>(test.param)].name) + "_per_" + std::get<1>(test.param);
}
INSTANTIATE_TEST_SUITE_P(Small, EveryPolicy,
                         testing::Combine(testing::Range<size_t>(0, 4), testing::Values("token", "block")), policy_name);

TEST(Selection, RandomDrawsDifferBetweenSeedsLayersHeadsAndQueries) {
  const Model model = small_model("SLSS");
  KeepAll one, two;
  logits_of(model, {.policy = {SelectBy::kRandom, {}, 5}}, &one);
  logits_of(model, {.policy = {SelectBy::kRandom, {}, 6}}, &two);
  EXPECT_NE(one.seen, two.seen);
  int64_t layers = 0, heads = 0, queries = 0;
  for (int64_t t = 200; t < 331; ++t) {
    layers += one.seen[{0, 0, t}] != one.seen[{2, 0, t}];
    heads += one.seen[{0, 0, t}] != one.seen[{0, 1, t}];
    queries += t % kBlock > 0 && one.seen[{0, 0, t}] != one.seen[{0, 0, t - 1}];
  }
  for (const int64_t differing : {layers, heads, queries}) EXPECT_GT(differing, 80);
}

TEST(Selection, APolicyHoldsUntilItIsChangedAndIsRefusedWhereNothingSelects) {
  const Model model = small_model("SS"), dense = small_model("FL");
  SessionOptions options;
  options.max_tokens = kTokens;
  const std::vector<int32_t> ids = random_ids(model.config(), kTokens);
  Session session(model, options);
  const auto run = [&] {
    session.reset();
    session.prefill(ids);
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  const std::vector<float> learned = run();
  session.set_selection({SelectBy::kAdversary, {kEvidence}, 0});
  const std::vector<float> out = run();
  EXPECT_NE(out, learned);
  EXPECT_EQ(run(), out);
  session.set_selection({});
  EXPECT_EQ(run(), learned);
  session.set_selection({SelectBy::kOracle, {}, 0});
  EXPECT_EQ(run(), learned) << "nothing to force";
  Session other(dense, options);
  other.set_selection({});
  expect_error(ErrorCode::kConfig, {"no layer of this model selects"}, [&] {
    other.set_selection({SelectBy::kRandom, {}, 1});
  });
}

TEST(Selection, SpansAreTheBlocksThatTheyTouch) {
  const SelectionPolicy policy{SelectBy::kOracle, {{60, 64}, {0, 1}, {15, 17}, {63, 65}, {90, 90}}, 0};
  EXPECT_EQ(policy.blocks(16), (std::vector<int32_t>{0, 1, 3, 4}));
  EXPECT_EQ(policy.blocks(64), (std::vector<int32_t>{0, 1}));
}

// Dense until position 149; the block that the change falls into was led by a query that ran dense.
TEST(SelectionPerBlock, DecodingAcrossDenseLenEqualsTokenByToken) {
  const Model model = small_model("SLS", [](ModelConfig& config) {
    config.own<InfLlmV2Fields>().select_per = "block";
    config.own<InfLlmV2Fields>().sparse_config.dense_len = 150;
  });
  const std::vector<int32_t> ids = random_ids(model.config(), 203);
  SessionOptions options;
  options.max_tokens = 203;
  Session once(model, options), each(model, options);
  once.prefill(std::span(ids).first(149));
  for (size_t i = 149; i < 203; ++i) once.decode(ids[i]);
  for (const int32_t id : ids) each.decode(id);
  EXPECT_EQ(std::vector<float>(once.logits().begin(), once.logits().end()),
            std::vector<float>(each.logits().begin(), each.logits().end()));
}

TEST(SelectionPerBlock, ChoosesLessOftenAndStaysWithinThePlan) {
  const auto block = [](ModelConfig& config) { config.own<InfLlmV2Fields>().select_per = "block"; };
  const Model shared = small_model("SS", block), each = small_model("SS");
  KeepAll shares, selects;
  EXPECT_NE(logits_of(shared, {}, &shares), logits_of(each, {}, &selects));
  for (int64_t t = 0; t < kTokens; t += kBlock) {  // layer 0 reads the same in both
    EXPECT_EQ((shares.seen[{0, 1, t}]), (selects.seen[{0, 1, t}])) << t;
  }
  EXPECT_DOUBLE_EQ(prefill_cost(shared.config(), 5000).of("selection") * 16,
                   prefill_cost(each.config(), 5000).of("selection"));
  SessionOptions options;
  options.max_tokens = kTokens;
  options.chunk_tokens = 64;
  Session session(shared, options);
  session.prefill(random_ids(shared.config(), kTokens));
  EXPECT_EQ(session.peak_bytes(), Session::plan(shared.config(), options).total_bytes());
}

TEST(DecayScale, MultipliesEverySlope) {
  const auto scaled = [](double factor) {
    return small_model("LL", [&](ModelConfig& config) { config.own<LightningFields>().decay_scale = factor; });
  };
  const auto given = [](const std::vector<double>& slopes) {
    return small_model("LL", [&](ModelConfig& config) { config.own<LightningFields>().lightning_slopes = slopes; });
  };
  const std::vector<float> released = alibi_slopes(3);
  std::vector<double> halved, none(3, 0.0);
  for (const float slope : released) halved.push_back(0.5 * slope);
  EXPECT_EQ(logits_of(scaled(0.5), {}), logits_of(given(halved), {}));
  EXPECT_EQ(logits_of(scaled(0), {}), logits_of(given(none), {}));
  EXPECT_NE(logits_of(scaled(0.5), {}), logits_of(scaled(1), {}));
  for (const double factor : {0.0, 0.25, 3.0}) {
    Call ref;
    ref.kernels = "ref";
    expect_close(logits_of(scaled(factor), {}), logits_of(scaled(factor), ref));
  }
  ModelConfig config = small_config("LL");
  config.own<LightningFields>().lightning_slopes = {1, 2, 4, 8, 16, 32};
  config.own<LightningFields>().decay_scale = 0.5;
  EXPECT_EQ(config.own<LightningFields>().slopes(1), (std::vector<float>{4, 8, 16}));
  expect_error(ErrorCode::kConfig, {"decay_scale", "-1"}, [&] { config.set("sala_lab.decay_scale", "-1"); });
  expect_error(ErrorCode::kConfig, {"select_per", "row"}, [&] { config.set("sala_lab.select_per", "row"); });
}

}  // namespace
}  // namespace sala
