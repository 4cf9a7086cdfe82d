// What a session allocates against its plan, and sessions side by side.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "sala/core/device.h"
#include "sala/model/session.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/softmax_fields.h"
#include "sim/model/random_model.h"
#include "tests/sim/cuda.h"
#include "tests/sim/model/small_model.h"
#include "tests/sim/model/watcher.h"

namespace sala {
namespace {

struct Case {
  const char* name;
  ModelConfig config;
};

// The last layer is left out for all rows but one, so the first ones are of the kind that needs most.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* map : {"SLSL", "FFF", "LLL"}) all.push_back({map, small_config(map)});
  all.push_back({"per block", small_config("SSS")});
  all.back().config.own<InfLlmV2Fields>().select_per = "block";
  all.push_back({"dense below dense_len", small_config("LSS")});
  all.back().config.own<InfLlmV2Fields>().sparse_config.dense_len = 1000000;
  all.push_back({"heads of 512, few KV heads for lightning", small_config("SLL")});
  ModelConfig& wide = all.back().config;
  wide.head_dim = 512, wide.num_attention_heads = 2, wide.num_key_value_heads = 1;
  wide.own<LightningFields>().lightning_nh = 4, wide.own<LightningFields>().lightning_nkv = 2;
  all.push_back({"scaled logits", small_config("FF")});
  all.back().config.own<SoftmaxFields>().attn_logits_scaling = {LogitScaling::Kind::kHype, 1000};
  for (Case& item : all) item.config.resolve();
  return all;
}

int64_t item_of(const MemoryPlan& plan, const std::string& name) {
  for (const MemoryPlan::Item& item : plan.items)
    if (item.name == name) return item.bytes;
  return 0;
}

// A whole prompt in chunks, short calls (which split keys among threads) and single tokens; probes are not among them.
void exercise(Session& session, const std::vector<int32_t>& ids) {
  const std::span<const int32_t> all(ids);
  session.prefill(all.first(ids.size() - 70));
  session.prefill(all.subspan(ids.size() - 70, 60));
  for (size_t i = ids.size() - 10; i < ids.size(); ++i) session.decode(ids[i]);
}

TEST(SessionMemory, MeasuredPeakIsWithinFivePercentOfThePlan) {
  for (const Case& item : cases())
    for (const int threads : {1, 3})
      for (const int64_t chunk : {0, 64}) {
        const Model model = random_model(item.config, 31);
        const std::vector<int32_t> ids = random_ids(item.config, 4200);
        SessionOptions options;
        options.max_tokens = 4200;
        options.threads = threads;
        options.chunk_tokens = chunk;
        options.numerics = threads == 1 ? Numerics::kFp32 : Numerics::kBf16;
        const std::string what = fmt::format("{}, {} threads, chunks of {}", item.name, threads, chunk);
        const int64_t before = cpu_device().used_bytes();
        Session session(model, options);
        cpu_device().reset_peak();  // while packing, a plain matrix came and went
        exercise(session, ids);
        const double measured = static_cast<double>(cpu_device().peak_bytes() - before);
        const MemoryPlan plan = Session::plan(item.config, options);
        const auto planned = static_cast<double>(plan.total_bytes());
        EXPECT_LE(std::abs(measured - planned), 0.05 * planned) << what << ": " << measured << " and " << planned;
        EXPECT_EQ(session.peak_bytes(), plan.total_bytes()) << what;
        EXPECT_LE(session.workspace_peak_bytes(), item_of(plan, "workspace")) << what;
        EXPECT_GE(static_cast<double>(session.workspace_peak_bytes()), 0.9 * static_cast<double>(item_of(plan, "workspace")))
            << what;
      }
}

// On a device too: what the session allocates there is the plan, and the scratch memory of every op is within it.
TEST(SessionMemory, ACudaSessionTakesWhatThePlanSays) {
  SALA_SKIP_WITHOUT_CUDA();
  for (const Case& item : cases()) {
    if (item.config.head_dim > 256) continue;  // more than selection on a device takes
    for (const int64_t chunk : {0, 64}) {
      const Model model = random_model(item.config, 31);
      SessionOptions options;
      options.max_tokens = 4200;
      options.chunk_tokens = chunk;
      options.device = "cuda";
      const int64_t before = cuda_device().used_bytes();
      Session session(model, options);
      exercise(session, random_ids(item.config, 4200));
      const auto measured = static_cast<double>(cuda_device().used_bytes() - before);
      const MemoryPlan plan = Session::plan(item.config, options);
      const auto planned = static_cast<double>(plan.total_bytes());
      EXPECT_LE(std::abs(measured - planned), 0.05 * planned) << item.name << ": " << measured << " and " << planned;
      EXPECT_LE(session.workspace_peak_bytes(), item_of(plan, "workspace")) << item.name;
    }
  }
}

// What an observer of attention is told is scratch memory of the plan: token by token it is the most that a session takes.
TEST(SessionMemory, AnObserverOfAttentionIsPlannedFor) {
  for (const char* map : {"SF", "FF"}) {
    const ModelConfig config = small_config(map);
    const Model model = random_model(config, 34);
    SessionOptions options;
    options.max_tokens = 4200;
    options.chunk_tokens = options.threads = 1;
    const int64_t planned = item_of(Session::plan(config, options), "workspace");
    EXPECT_GT(planned, 4200 * 12);
    const std::vector<int32_t> ids = random_ids(config, 4200);
    for (const bool watched : {false, true}) {
      Session session(model, options);
      int64_t keys = 0;
      Watcher watcher(
          site::kAttention, [](int, int64_t position) { return position == 4199; },
          [&](const Tap& tap) { keys += tap["keys"].extent()[0]; });
      if (watched) session.set_observer(&watcher);
      session.prefill(ids);
      EXPECT_EQ(keys > 4200, watched);
      EXPECT_EQ(static_cast<double>(session.workspace_peak_bytes()) >= 0.95 * static_cast<double>(planned), watched) << map;
    }
  }
}

// Mixers share the config. If each had a copy, with its name of every layer, this would take gigabytes.
TEST(SessionMemory, TheMostLayersThatAConfigMayHaveTakeLittle) {
  std::string letters;
  while (static_cast<int64_t>(letters.size()) + 3 <= kMaxLayers) letters += "SLF";
  const ModelConfig config = small_config(letters);
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;  // MiB
  };
  const auto before = peak();
  EXPECT_GT(Session::plan(config, {.max_tokens = 100}).total_bytes(), 0);
  EXPECT_LT(peak() - before, 200);
}

TEST(SessionMemory, SessionsOfOneModelShareItsWeights) {
  const ModelConfig config = small_config("SL");
  const Model model = random_model(config, 32);
  SessionOptions options;
  options.max_tokens = 100;
  options.threads = 1;
  const int64_t before = cpu_device().used_bytes();
  const Session first(model, options);
  const int64_t one = cpu_device().used_bytes() - before;
  options.kernels = "portable";  // the same layout
  const Session second(model, options);
  const int64_t two = cpu_device().used_bytes() - before, weights = item_of(Session::plan(config, options), "weights");
  EXPECT_EQ(two - one, one - weights);
}

TEST(Sessions, TwoThreadsAtOnceGiveTheBytesOfOne) {
  const ModelConfig config = small_config("SLF");
  const Model model = random_model(config, 33);
  const std::vector<int32_t> ids = random_ids(config, 1500);
  const auto logits = [&](int threads, const char* kernels) {
    SessionOptions options;
    options.max_tokens = 1500;
    options.threads = threads;
    options.kernels = kernels;
    Session session(model, options);
    session.prefill(ids);
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  const std::vector<float> alone = logits(1, "best");
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<float>> got(3);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < got.size(); ++i)
      threads.emplace_back([&, i] { got[i] = logits(static_cast<int>(i) + 1, i == 1 ? "portable" : "best"); });
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<float>& each : got) EXPECT_EQ(each, alone);
  }
}

}  // namespace
}  // namespace sala
