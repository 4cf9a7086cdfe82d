// A session gives the same bytes however a sequence is fed, and agrees with the double-precision kernels.
#include "sala/model/session.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "sala/core/parallel.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/softmax_fields.h"
#include "sim/model/random_model.h"
#include "sim/ops/kernels.h"
#include "tests/sim/cuda.h"
#include "tests/sim/model/small_model.h"
#include "tests/sim/model/watcher.h"

namespace sala {
namespace {

constexpr int64_t kTokens = 203;  // no multiple of any tile, window or block
// fp32 against double over four layers; the fixtures of the PyTorch definition hold the same bound.
constexpr double kAgainstRef = 1e-5;

struct Case {
  std::string name, letters;
  void (*change)(ModelConfig&);
};

void PrintTo(const Case& item, std::ostream* out) { *out << item.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"sparse_nope", "SS", [](ModelConfig&) {}},
      {"sparse_rope", "SS", [](ModelConfig& c) { c.own<SoftmaxFields>().attn_use_rope = true; }},
      {"full_nope", "FF", [](ModelConfig&) {}},
      {"full_rope", "FF", [](ModelConfig& c) { c.own<SoftmaxFields>().attn_use_rope = true; }},
      {"full_yarn", "FF",
       [](ModelConfig& c) {
         c.own<SoftmaxFields>().attn_use_rope = true;
         c.rope_scaling.emplace().factor = 4;
         c.rope_scaling->original_max_position_embeddings = 64;
       }},
      {"named_encodings", "SLFL",
       [](ModelConfig& c) {
         const EncodingChoice yarn{"yarn", {{"factor", 4}, {"original_max_position_embeddings", 64}}};
         c.sala_lab.position_encodings = {{"rope", {{"theta", 500}}}, yarn, {"nope"}, {}};
       }},
      {"lightning_rope", "LL", [](ModelConfig&) {}},
      {"lightning_nope", "LL", [](ModelConfig& c) { c.own<LightningFields>().lightning_use_rope = false; }},
      {"hype", "SLLS", [](ModelConfig&) {}},
      {"rope", "SLLS", [](ModelConfig& c) { apply_position_policy(c, "rope"); }},
      {"nope", "SLFL", [](ModelConfig& c) { apply_position_policy(c, "nope"); }},
      {"reverse", "FLSL", [](ModelConfig& c) { apply_position_policy(c, "reverse"); }},
      {"bare", "SLF",
       [](ModelConfig& c) {
         auto& softmax = c.own<SoftmaxFields>();
         softmax.attn_use_output_gate = softmax.attn_qk_norm = false;
         auto& linear = c.own<LightningFields>();
         linear.use_output_gate = linear.use_output_norm = linear.qk_norm = false;
         linear.lightning_scale = "1/d";
       }},
      {"tied", "LS", [](ModelConfig& c) { c.tie_word_embeddings = true; }},
      {"lightning_grouped", "LL", [](ModelConfig& c) { c.own<LightningFields>().lightning_nkv = 1; }},
      {"slopes", "LL",
       [](ModelConfig& c) {
         c.own<LightningFields>().lightning_slopes = {0, 0.03, 2};
       }},
      {"logit_scaling", "SF",
       [](ModelConfig& c) {
         c.own<SoftmaxFields>().attn_logits_scaling = {LogitScaling::Kind::kHype, 50};
       }},
      {"exact_lse", "SS", [](ModelConfig& c) { c.own<InfLlmV2Fields>().exact_lse = true; }},
      {"wide_blocks", "SS", [](ModelConfig& c) { c.own<InfLlmV2Fields>().sparse_config = {16, 8, 32, 1, 32, 2, 0, false}; }},
      {"dense_first", "SLS", [](ModelConfig& c) { c.own<InfLlmV2Fields>().sparse_config.dense_len = 150; }},
  };
  return all;
}

class EveryModel : public testing::TestWithParam<std::tuple<Case, Numerics>> {
 protected:
  EveryModel() : model_(make()), ids_(random_ids(model_.config(), kTokens)) {}
  static Model make() {
    const Case& item = std::get<0>(GetParam());
    ModelConfig config = small_config(item.letters);
    item.change(config);
    return random_model(config, 7);
  }
  SessionOptions options(int64_t chunk = 0, bool prune = true) const {
    SessionOptions options;
    options.max_tokens = kTokens;
    options.chunk_tokens = chunk;
    options.numerics = std::get<1>(GetParam());
    options.prune = prune;
    return options;
  }
  // Feeds all ids in calls of `step` tokens.
  void feed(Session& session, int64_t step) const {
    session.set_prompt_tokens(kTokens);
    for (int64_t at = 0; at < kTokens; at += step)
      session.prefill(std::span(ids_).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(step, kTokens - at))));
  }
  std::vector<float> logits(const SessionOptions& options, int64_t step = kTokens) const {
    Session session(model_, options);
    feed(session, step);
    return {session.logits().begin(), session.logits().end()};
  }
  Model model_;
  std::vector<int32_t> ids_;
};

TEST_P(EveryModel, DecodeEqualsPrefill) { EXPECT_EQ(logits(options(), 1), logits(options())); }

TEST_P(EveryModel, AnySplitGivesTheSameBytes) {
  const std::vector<float> whole = logits(options());
  for (const int64_t chunk : {1, 16, 63, 64, 65, 100}) EXPECT_EQ(logits(options(chunk)), whole) << "chunks of " << chunk;
  for (const int64_t step : {5, 64, 127}) EXPECT_EQ(logits(options(), step), whole) << "calls of " << step;
}

TEST_P(EveryModel, ThreadCountDoesNotMatter) {
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<float> one = logits(options());
  set_num_threads(3);
  const std::vector<float> three = logits(options());
  set_num_threads(before);
  EXPECT_EQ(one, three);
}

TEST_P(EveryModel, EveryInstructionSetGivesTheSameBytes) {
  SessionOptions chosen = options();
  const std::vector<float> best = logits(chosen);
  for (const ops::Kernels& kernels : ops::available_kernels()) {
    if (kernels.is_ref()) continue;
    chosen.kernels = kernels.name;
    EXPECT_EQ(logits(chosen), best) << kernels.name;
  }
}

TEST_P(EveryModel, ACudaDeviceGivesTheBytesOfTheCpu) {
  SALA_SKIP_WITHOUT_CUDA();
  const std::vector<float> want = logits(options());
  for (const int64_t chunk : {0, 1, 63, 100}) {
    SessionOptions chosen = options(chunk);
    chosen.device = "cuda";
    EXPECT_EQ(logits(chosen), want) << "chunks of " << chunk;
  }
}

// Their kernels run together, with those of sequences of other lengths.
TEST_P(EveryModel, SessionsOfSeveralThreadsOnACudaDeviceGiveTheBytesOfTheCpu) {
  SALA_SKIP_WITHOUT_CUDA();
  const std::vector<float> want = logits(options());
  constexpr int kSessions = 6;
  std::vector<std::vector<float>> got(kSessions);
  std::vector<std::thread> threads;
  for (int i = 0; i < kSessions; ++i)
    threads.emplace_back([&, i] {
      SessionOptions chosen = options();
      chosen.device = "cuda";
      got[static_cast<size_t>(i)] = logits(chosen, i == 0 ? kTokens : i);
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& one : got) EXPECT_EQ(one, want);
}

TEST_P(EveryModel, PruningChangesNoByte) {
  EXPECT_EQ(logits(options(64, true)), logits(options(64, false)));
  EXPECT_EQ(logits(options(0, true)), logits(options(0, false)));
}

TEST_P(EveryModel, ResetForgetsEverything) {
  Session session(model_, options());
  feed(session, 50);
  session.reset();
  EXPECT_EQ(session.position(), 0);
  feed(session, kTokens);
  EXPECT_EQ(std::vector<float>(session.logits().begin(), session.logits().end()), logits(options()));
}

TEST_P(EveryModel, WorkspaceStaysWithinThePlan) {
  Session session(model_, options(64));
  feed(session, kTokens);
  EXPECT_EQ(session.peak_bytes(), Session::plan(model_.config(), options(64)).total_bytes());
}

TEST_P(EveryModel, LogitsAreNumbersThatDependOnTheFirstToken) {
  const std::vector<float> before = logits(options());
  for (const float value : before) ASSERT_TRUE(std::isfinite(value));
  ids_[0] = (ids_[0] + 1) % static_cast<int32_t>(model_.config().vocab_size);
  if (std::get<1>(GetParam()) == Numerics::kFp32 && !std::get<0>(GetParam()).letters.starts_with("LL")) {
    EXPECT_NE(logits(options()), before);  // a pure lightning model forgets it
  }
}

// A bf16 rounding that falls the other way moves a whole step, so only the fp32 class is compared.
class EveryFp32Model : public EveryModel {
 protected:
  // Hidden states after every layer, then the logits.
  std::vector<float> all_values(const std::string& kernels, const std::string& device = "cpu") const {
    SessionOptions chosen = options();
    chosen.kernels = kernels;
    chosen.device = device;
    Session session(model_, chosen);
    std::vector<float> values;
    Watcher watcher(site::kHidden, [&](const Tap& tap) {
      const auto h = tap["hidden"].as<float, 2>();
      values.insert(values.end(), h.data, h.data + h.size());
    });
    session.set_observer(&watcher);
    feed(session, kTokens);
    values.insert(values.end(), session.logits().begin(), session.logits().end());
    return values;
  }
};

TEST_P(EveryFp32Model, BestKernelsAgreeWithRef) {
  const std::vector<float> ref = all_values("ref"), best = all_values("best");
  ASSERT_EQ(ref.size(), best.size());
  double largest = 0, worst = 0;
  size_t where = 0;
  for (size_t i = 0; i < ref.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(ref[i])));
    const double difference = std::fabs(static_cast<double>(ref[i]) - best[i]);
    if (!(difference <= worst)) {
      worst = difference;
      where = i;
    }
  }
  EXPECT_LE(worst, kAgainstRef * largest) << "element " << where << ": " << ref[where] << " and " << best[where];
}

TEST_P(EveryFp32Model, ACudaDeviceHasTheCpusHiddenStates) {
  SALA_SKIP_WITHOUT_CUDA();
  EXPECT_EQ(all_values("best", "cuda"), all_values("best"));
}

std::string case_name(const testing::TestParamInfo<std::tuple<Case, Numerics>>& test) {
  return std::get<0>(test.param).name + (std::get<1>(test.param) == Numerics::kFp32 ? "_fp32" : "_bf16");
}
const auto kFp32Cases = testing::Combine(testing::ValuesIn(cases()), testing::Values(Numerics::kFp32));
const auto kAllCases = testing::Combine(testing::ValuesIn(cases()), testing::Values(Numerics::kFp32, Numerics::kBf16));
INSTANTIATE_TEST_SUITE_P(Small, EveryModel, kAllCases, case_name);
INSTANTIATE_TEST_SUITE_P(Small, EveryFp32Model, kFp32Cases, case_name);

}  // namespace
}  // namespace sala
