// Blocks that are forced in, forced out or drawn, and queries that stand some tokens apart.
#include <cmath>
#include <map>

#include "tests/sim/ops/select_problem.h"

namespace sala::ops {
namespace {

using test::Buffer;

enum class Kind { kScores, kPreferred, kBarred, kDraw };
struct Rule {
  std::string name;
  Kind kind;
  std::vector<int32_t> listed;
};
const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {{"scores", Kind::kScores, {}},
                                        {"none preferred", Kind::kPreferred, {}},
                                        {"preferred", Kind::kPreferred, {0, 3, 9, 11, 40, 900}},
                                        {"one barred", Kind::kBarred, {5}},
                                        {"barred", Kind::kBarred, {0, 2, 3, 4, 5, 6, 7, 9, 17, 18, 23, 900}},
                                        {"drawn", Kind::kDraw, {}}};
  return all;
}

const std::vector<std::pair<Shape, SelectParams>>& problems() {
  static const std::vector<std::pair<Shape, SelectParams>> all = {
      {{203, 203, 4, 2, 16}, kSmall},                          // from the first token on
      {{64, 777, 3, 1, 24}, params_of(48, 48, 16, 2, 96, 5)},  // ratio 3
      {{65, 700, 16, 1, 17}, params_of(8, 8, 8, 0, 0, 3)},     // many blocks, few slots, nothing else forced
      {{5, 2600, 4, 2, 16}, params_of(64, 32, 16, 1, 256, 12)},
      {{120, 120, 2, 1, 8}, params_of(4, 32, 4, 1, 8, 3)},  // rows without coarse keys
      {{20, 20000, 4, 2, 8}, kSmall},                       // keys are split between threads
  };
  return all;
}

// Refers to the rule.
Problem with_rule(const std::pair<Shape, SelectParams>& item, const Rule& rule) {
  SelectParams params = item.second;
  if (rule.kind == Kind::kPreferred) params.preferred = rule.listed;
  if (rule.kind == Kind::kBarred) params.barred = rule.listed;
  if (rule.kind == Kind::kDraw) params.draw = 99;
  return Problem(item.first, params);
}

// Ids that row r of head g chose and that are not forced.
struct Choice {
  std::vector<int32_t> free, forced, candidates;
};
Choice choice(const Problem& problem, const Selection& found, int64_t r, int64_t g) {
  const SelectParams& params = problem.params;
  const auto ids = found.blocks.view(problem.shape.R, problem.shape.Hkv, params.slots())[r][g];
  const int64_t own = (problem.first() + r * params.query_step) / params.block_size;
  const int64_t local = std::max<int64_t>(0, own - params.window_size / params.block_size);
  Choice result;
  for (int64_t s = 0; s < ids.extent[0]; ++s)
    if (ids[s] >= 0) (ids[s] < params.init_blocks || ids[s] >= local ? result.forced : result.free).push_back(ids[s]);
  for (int64_t b = params.init_blocks; b < local; ++b) result.candidates.push_back(static_cast<int32_t>(b));
  return result;
}

TEST_P(EveryKernel, EveryRuleMatchesRef) {
  for (const auto& item : problems())
    for (const Rule& rule : rules()) {
      const Problem problem = with_rule(item, rule);
      const std::string what = item.first.name() + " " + rule.name;
      const Selection ref = problem.select(ref_kernels(), true), got = problem.select(kernels(), true);
      expect_close_scores(got.scores, ref.scores, 4 * kAgainstRef, what);
      expect_same_selection(problem, got, ref, 4 * kAgainstRef, what);
      expect_same_blocks(problem.select(kernels()).blocks, got.blocks, what + " without scores");
    }
}

TEST_P(EveryKernel, ForcedInAndOutAreWhatTheySay) {
  for (const auto& item : problems())
    for (const Rule& rule : rules()) {
      const Problem problem = with_rule(item, rule), plain = with_rule(item, rules()[0]);
      const Selection found = problem.select(kernels()), scores = plain.select(kernels());
      for (int64_t row = 0; row < problem.shape.R * problem.shape.Hkv; ++row) {
        const int64_t r = row / problem.shape.Hkv, g = row % problem.shape.Hkv;
        const Choice mine = choice(problem, found, r, g), learned = choice(plain, scores, r, g);
        ASSERT_EQ(mine.forced, learned.forced) << rule.name;
        std::vector<int32_t> listed;  // what of the list can be chosen
        for (const int32_t id : rule.listed)
          if (std::binary_search(mine.candidates.begin(), mine.candidates.end(), id)) listed.push_back(id);
        const auto room = static_cast<size_t>(problem.params.slots()) - mine.forced.size();
        if (rule.kind == Kind::kPreferred) {
          ASSERT_EQ(mine.free.size(), learned.free.size());
          listed.resize(std::min(listed.size(), room));
          ASSERT_TRUE(std::includes(mine.free.begin(), mine.free.end(), listed.begin(), listed.end())) << row;
          int64_t given_way = 0;  // the others are the model's own choice
          for (const int32_t id : mine.free)
            if (!std::binary_search(listed.begin(), listed.end(), id)) {
              ASSERT_TRUE(std::binary_search(learned.free.begin(), learned.free.end(), id)) << id;
            }
          for (const int32_t id : learned.free) given_way += !std::binary_search(mine.free.begin(), mine.free.end(), id);
          ASSERT_LE(given_way, static_cast<int64_t>(listed.size()));
        } else if (rule.kind == Kind::kBarred) {
          for (const int32_t id : listed) ASSERT_FALSE(std::binary_search(mine.free.begin(), mine.free.end(), id)) << id;
          ASSERT_EQ(mine.free.size(), std::min(room, mine.candidates.size() - listed.size()));
        } else if (rule.kind == Kind::kDraw) {
          ASSERT_EQ(mine.free.size(), std::min(room, mine.candidates.size()));
        }
      }
    }
}

TEST_P(EveryKernel, RulesDoNotDependOnSplitOrThreads) {
  for (const Rule& rule : rules()) {
    const Problem problem = with_rule({{75, 9000, 4, 2, 8}, params_of(16, 8, 4, 1, 32, 5)}, rule);
    const Selection whole = problem.select(kernels());
    for (const int64_t step : {1, 7, 48})
      expect_same_blocks(problem.select(kernels(), false, step).blocks, whole.blocks, rule.name);
    const ThreadCount three(3);
    expect_same_blocks(problem.select(kernels()).blocks, whole.blocks, rule.name + ", 3 threads");
  }
}

// Rows of one query each, some tokens apart, are the rows of the whole.
TEST_P(EveryKernel, QueriesMayStandTokensApart) {
  for (const Rule& rule : rules())
    for (const int64_t step : {3, 16}) {
      Problem problem = with_rule({{40, 1000, 4, 2, 8}, kSmall}, rule);
      problem.params.query_step = step;
      const Selection found = problem.select(kernels(), true), ref = problem.select(ref_kernels(), true);
      expect_same_selection(problem, found, ref, 4 * kAgainstRef, rule.name);
      expect_same_blocks(problem.select(kernels(), false, 1).blocks, found.blocks, rule.name + ", one by one");
    }
}

TEST(Select, DrawnBlocksAreUniform) {
  constexpr int64_t kDraws = 20000, kBegin = 3, kEnd = 23, kCount = 5;
  std::map<int32_t, int64_t> times;
  std::map<std::pair<int32_t, int32_t>, int64_t> pairs;
  for (int64_t position = 0; position < kDraws; ++position) {
    const std::vector<int32_t> drawn = random_blocks(7, position, 1, kBegin, kEnd, kCount);
    ASSERT_EQ(drawn.size(), 5u);
    for (size_t i = 0; i < drawn.size(); ++i) {
      ASSERT_TRUE(drawn[i] >= kBegin && drawn[i] < kEnd && (i == 0 || drawn[i] > drawn[i - 1]));
      ++times[drawn[i]];
      for (size_t j = 0; j < i; ++j) ++pairs[{drawn[j], drawn[i]}];
    }
  }
  const auto near = [&](int64_t count, double share) {  // within five standard deviations
    const double mean = kDraws * share;
    return std::fabs(static_cast<double>(count) - mean) < 5 * std::sqrt(mean * (1 - share));
  };
  EXPECT_EQ(times.size(), 20u);
  for (const auto& [id, count] : times) EXPECT_TRUE(near(count, 0.25)) << id << " " << count;
  EXPECT_EQ(pairs.size(), 190u);
  for (const auto& [pair, count] : pairs) EXPECT_TRUE(near(count, 5.0 * 4 / (20 * 19))) << pair.first << " " << pair.second;
}

TEST(Select, DrawsDependOnSeedPositionAndHead) {
  const auto draw = [](uint64_t seed, int64_t position, int64_t head) {
    return random_blocks(seed, position, head, 0, 1000000, 4);
  };
  EXPECT_EQ(draw(1, 2, 3), draw(1, 2, 3));
  EXPECT_NE(draw(1, 2, 3), draw(2, 2, 3));
  EXPECT_NE(draw(1, 2, 3), draw(1, 3, 3));
  EXPECT_NE(draw(1, 2, 3), draw(1, 2, 4));
  EXPECT_EQ(random_blocks(1, 0, 0, 4, 7, 9), (std::vector<int32_t>{4, 5, 6}));
  EXPECT_TRUE(random_blocks(1, 0, 0, 4, 4, 9).empty());
}

TEST(Select, BadListsAreRefused) {
  for (const std::vector<int32_t>& listed : {std::vector<int32_t>{-1}, {3, 3}, {4, 2}}) {
    const Rule rule{"bad", Kind::kPreferred, listed};
    const Problem problem = with_rule({{2, 300, 4, 2, 8}, kSmall}, rule);
    expect_error(ErrorCode::kConfig, {"listed block", "ascending"}, [&] { problem.select(find_kernels("best")); });
  }
  Problem problem({2, 300, 4, 2, 8}, kSmall);
  const std::vector<int32_t> one = {3};
  problem.params.preferred = problem.params.barred = one;
  expect_error(ErrorCode::kConfig, {"exclude each other"}, [&] { problem.select(find_kernels("best")); });
  problem.params.preferred = problem.params.barred = {};
  problem.params.query_step = 0;
  expect_error(ErrorCode::kConfig, {"query_step is 0"}, [&] { problem.select(find_kernels("best")); });
}

INSTANTIATE_EVERY_KERNEL();

}  // namespace
}  // namespace sala::ops
