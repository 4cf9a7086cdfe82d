// Sessions side by side: how many, and that each answers as one alone.
#include "eval/subject/session_subject.h"

#include <gtest/gtest.h>

#include <thread>

#include "sim/model/random_model.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

constexpr int64_t kPlenty = int64_t{1} << 40;

Answer ask(Subject& subject, const std::vector<int32_t>& ids) {
  Question question;
  question.ids = ids;
  question.max_new_tokens = 12;
  return subject.answer(question);
}

TEST(SessionSubjects, AsManyAsCoresMemoryAndLengthAllow) {
  const Model model = random_model(small_config("SLSF"), 1);
  const auto at_once = [&](int threads, int64_t memory, int64_t tokens, int64_t wanted) {
    return SessionSubjects("small", model, {}, {}, threads, memory).at_once(tokens, wanted);
  };
  EXPECT_EQ(at_once(4, kPlenty, 4096, 100), 4);
  EXPECT_EQ(at_once(4, kPlenty, 4096, 3), 3);
  EXPECT_EQ(at_once(1, kPlenty, 4096, 100), 1);
  EXPECT_EQ(at_once(4, kPlenty, kOneACore + 1, 100), 1) << "long prompts have all cores";
  SessionOptions options;
  options.max_tokens = 4096;
  options.threads = 1;
  const MemoryPlan plan = Session::plan(model.config(), options);
  const int64_t weights = plan.items[0].bytes, own = plan.total_bytes() - weights + sample_bytes(4096);
  EXPECT_EQ(plan.items[0].name, "weights") << "they are shared";
  EXPECT_EQ(at_once(4, weights + 3 * own, 4096, 4), 3);
  EXPECT_EQ(at_once(4, weights, 4096, 4), 1) << "one is always possible: whether it fits is asked before";
  int64_t before = 4;
  for (int64_t tokens = 1024; tokens <= 65536; tokens *= 2) {
    const int64_t now = at_once(4, weights + 3 * own, tokens, 4);
    EXPECT_LE(now, before) << tokens;
    before = now;
  }
}

TEST(SessionSubjects, LanesShareAllThreads) {
  const Model model = random_model(small_config("SL"), 1);
  const SessionSubjects subjects("small", model, {}, {}, 8, kPlenty);
  const auto threads = [&](int64_t lanes) {
    std::vector<int> each;
    for (int64_t lane = 0; lane < lanes; ++lane) each.push_back(subjects.shape(1024, lane, lanes).threads);
    return each;
  };
  EXPECT_EQ(threads(1), (std::vector<int>{8}));
  EXPECT_EQ(threads(3), (std::vector<int>{3, 3, 2}));
  EXPECT_EQ(threads(5), (std::vector<int>{2, 2, 2, 1, 1}));
  EXPECT_EQ(threads(8), std::vector<int>(8, 1));
}

TEST(SessionSubjects, SideBySideEachAnswersAsOneAlone) {
  const ModelConfig config = small_config("SLSF");
  const Model model = random_model(config, 1);
  SessionSubjects subjects("small", model, {}, {}, 2, kPlenty);
  EXPECT_TRUE(subjects.capabilities().ids && subjects.capabilities().probe && subjects.capabilities().selection);
  std::vector<Answer> alone(2), together(2);
  for (size_t i = 0; i < 2; ++i) {
    const auto subject = subjects.open(1024, 0, 1);
    alone[i] = ask(*subject, random_ids(config, 700, i + 1));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 2; ++i)
    threads.emplace_back(
        [&, i] { together[i] = ask(*subjects.open(1024, static_cast<int64_t>(i), 2), random_ids(config, 700, i + 1)); });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(together[i].ids, alone[i].ids);
    EXPECT_EQ(together[i].ids.size(), 12u);
  }
}

}  // namespace
}  // namespace sala::eval
