#include "sim/ops/select/select.h"

#include <algorithm>

#include "sim/ops/attention/attention.h"
#include "tests/sim/ops/select_problem.h"

namespace sala::ops {
namespace {

using test::Buffer;

struct Case {
  Shape shape;
  SelectParams params;
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {{1, 400, 4, 2, 64}, kSmall},
      {{15, 300, 4, 2, 16}, kSmall},
      {{203, 203, 4, 2, 16}, kSmall},
      {{63, 500, 2, 2, 32}, params_of(32, 8, 8, 1, 32, 3)},    // no overlap
      {{64, 777, 3, 1, 24}, params_of(48, 48, 16, 2, 96, 5)},  // ratio 3, windows of 3 strides
      {{65, 700, 16, 1, 17}, params_of(8, 8, 8, 0, 0, 3)},     // one window a block, nothing but the own block forced
      {{65, 600, 4, 4, 128}, params_of(64, 16, 4, 1, 64, 2)},  // ratio 16
      {{30, 900, 10, 2, 8}, params_of(4, 8, 4, 1, 16, 30)},    // windows longer than blocks
      {{5, 2600, 4, 2, 16}, params_of(64, 32, 16, 1, 256, 12)},
  };
  return all;
}

TEST_P(EveryKernel, SelectionAndScoresMatchRef) {
  for (const Case& item : cases())
    for (const bool exact_lse : {false, true}) {
      SelectParams params = item.params;
      params.exact_lse = exact_lse;
      const Problem problem(item.shape, params);
      const Selection ref = problem.select(ref_kernels(), true), got = problem.select(kernels(), true);
      expect_close_scores(got.scores, ref.scores, kAgainstRef, item.shape.name());
      expect_same_selection(problem, got, ref, kAgainstRef, item.shape.name());
      expect_same_blocks(problem.select(kernels()).blocks, got.blocks, item.shape.name() + " without scores");
    }
}

TEST_P(EveryKernel, Bf16ScoresAreBf16AndMatchRef) {
  for (const Case& item : cases()) {
    const Problem problem(item.shape, item.params, 3, 1, Numerics::kBf16);
    const Selection ref = problem.select(ref_kernels(), true), got = problem.select(kernels(), true);
    expect_close_scores(got.scores, ref.scores, kBf16Step, item.shape.name());
    expect_same_selection(problem, got, ref, kBf16Step, item.shape.name());
    expect_same_blocks(problem.select(kernels()).blocks, got.blocks, item.shape.name() + " without scores");
    int64_t finer = 0;
    for (int64_t i = 0; i < got.scores.size(); ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, &got.scores[i], sizeof(bits));
      finer += (bits & 0xffff) != 0;
    }
    EXPECT_EQ(finer, 0);
  }
}

TEST(Select, EveryKernelGivesTheSameBytes) {
  for (const Case& item : cases())
    for (const float logits : {0.1f, 5.0f, 50.0f}) {
      const Problem problem(item.shape, item.params, logits);
      const Selection want = problem.select(find_kernels("portable"), true);
      for (const Kernels& kernels : tile_kernels()) {
        const Selection got = problem.select(kernels, true);
        expect_same_bytes(got.scores, want.scores, item.shape.name() + " " + kernels.name);
        expect_same_blocks(got.blocks, want.blocks, item.shape.name() + " " + kernels.name);
        expect_same_blocks(problem.select(kernels).blocks, want.blocks,
                           item.shape.name() + " without scores " + kernels.name);
      }
    }
}

// Chunks, single rows (which split the keys instead), scores or none.
TEST_P(EveryKernel, AnySplitOfTheRowsGivesTheSameBytes) {
  const Problem problem({75, 9000, 4, 2, 8}, params_of(16, 8, 4, 1, 32, 5));
  const Selection whole = problem.select(kernels(), true);
  for (const int64_t step : {1, 7, 48, 74}) {
    expect_same_blocks(problem.select(kernels(), false, step).blocks, whole.blocks, "steps of " + std::to_string(step));
    expect_same_bytes(problem.select(kernels(), true, step).scores, whole.scores, "steps of " + std::to_string(step));
  }
}

TEST_P(EveryKernel, ThreadsDoNotMatter) {
  const Problem prefill({400, 3000, 4, 2, 8}, kSmall), decode({1, 60000, 4, 2, 8}, kSmall);
  const auto all = [&](int threads) {
    const ThreadCount count(threads);
    return std::pair(prefill.select(kernels()).blocks, decode.select(kernels()).blocks);
  };
  const auto one = all(1);
  for (const int threads : {2, 3}) {
    const auto more = all(threads);
    expect_same_blocks(more.first, one.first, std::to_string(threads) + " threads");
    expect_same_blocks(more.second, one.second, std::to_string(threads) + " threads, decode");
  }
}

std::vector<int32_t> chosen_at(const Kernels& kernels, const Problem& problem, int64_t row, int64_t head) {
  const Selection found = problem.select(kernels);
  const auto ids = found.blocks.view(problem.shape.R, problem.shape.Hkv, problem.params.slots())[row][head];
  std::vector<int32_t> chosen;
  for (int64_t s = 0; s < ids.extent[0]; ++s)
    if (ids[s] >= 0) chosen.push_back(ids[s]);
  return chosen;
}

// Spec 11, vector 6: t = 10000 with the released sizes.
TEST_P(EveryKernel, ReleasedSizesForceBlock0And33LocalOnes) {
  const Problem problem({1, 10001, 4, 2, 16}, kReleased);
  EXPECT_EQ(kReleased.slots(), 96);
  const Selection with = problem.select(kernels(), true);
  const auto scores = with.scores.view(2, problem.num_blocks());
  for (int64_t g = 0; g < 2; ++g) {
    std::vector<int32_t> forced;
    for (int32_t b = 0; b < problem.num_blocks(); ++b)
      if (std::isinf(scores[g][b])) forced.push_back(b);
    std::vector<int32_t> want{0};
    for (int32_t b = 124; b <= 156; ++b) want.push_back(b);
    EXPECT_EQ(forced, want);
    const std::vector<int32_t> chosen = chosen_at(kernels(), problem, 0, g);
    ASSERT_EQ(chosen.size(), 96u);
    EXPECT_TRUE(std::includes(chosen.begin(), chosen.end(), want.begin(), want.end()));
    EXPECT_EQ(std::count_if(chosen.begin(), chosen.end(), [](int32_t b) { return b >= 1 && b <= 123; }), 62);
    int64_t attended = 0;
    for (const int32_t b : chosen) attended += std::min<int64_t>(64, 10001 - b * 64);
    EXPECT_EQ(attended, 6097);
  }
}

// Spec 11, vector 5: where one fine key stands out, the blocks that its window overlaps score highest.
TEST_P(EveryKernel, BlockPoolsTheWindowsThatOverlapIt) {
  const std::vector<std::pair<int64_t, std::vector<int32_t>>> expected = {
      // K1 index, blocks
      {0, {0}}, {3, {0, 1}}, {4, {1}}, {7, {1, 2}}, {10, {2}}, {11, {2, 3}}, {12, {3}}};
  for (const auto& [window, blocks] : expected) {
    Problem problem({1, 2000, 1, 1, 4}, params_of(64, 32, 16, 0, 0, 4));
    const Buffer<float> q = random_values(4, 1);
    Buffer<float> keys(problem.fine.size() * 4);
    for (int64_t d = 0; d < 4; ++d) keys[window * 4 + d] = 40 * q[d];
    problem.fine.clear();
    problem.fine.append(on(), keys.view(keys.size() / 4, 1, 4));
    const Selection found = problem.select(kernels(), true);
    std::vector<int32_t> high;
    for (int32_t b = 0; b + 1 < problem.num_blocks(); ++b)  // the last one is forced
      if (found.scores[b] > 2 * found.scores[20]) high.push_back(b);
    EXPECT_EQ(high, blocks) << "K1 index " << window;
  }
}

// Spec 11, vector 4: a window counts once its last token is there. count2(126) = 0, count2(127) = 1; K1[7] covers 112..143.
TEST_P(EveryKernel, WindowBecomesVisibleWithItsLastToken) {
  Problem problem({200, 200, 2, 1, 8}, params_of(16, 32, 16, 0, 0, 4));
  const Buffer<float> q = random_values(200 * 2 * 8, 1);
  const auto score = [&](const Selection& found, int64_t t, int64_t block) {
    return found.scores.view(200, problem.num_blocks())[t][block];
  };
  const Selection found = problem.select(kernels(), true);
  EXPECT_EQ(score(found, 126, 0), INFINITY);  // no coarse key
  EXPECT_TRUE(std::isfinite(score(found, 127, 0)));
  Buffer<float> keys(problem.fine.size() * 8);
  for (int64_t d = 0; d < 8; ++d) keys[7 * 8 + d] = q[142 * 16 + d] + q[142 * 16 + 8 + d];
  problem.fine.clear();
  problem.fine.append(on(), keys.view(keys.size() / 8, 1, 8));
  const Selection marked = problem.select(kernels(), true);
  EXPECT_EQ(score(marked, 142, 7),
            score(marked, 142, 6));  // block 7 is tokens 112..127; only K1[6] of equal keys is visible
  EXPECT_NE(score(marked, 143, 7), score(marked, 143, 6));
}

// Spec 11, vector 7: up to 6144 tokens the released selection leaves nothing out.
TEST_P(EveryKernel, UpTo6143EverythingIsSelected) {
  const Problem all({20, 6144, 2, 1, 8}, kReleased), one_more({1, 6145, 2, 1, 8}, kReleased);
  for (const int64_t row : {0, 19}) {
    const std::vector<int32_t> chosen = chosen_at(kernels(), all, row, 0);
    EXPECT_EQ(chosen.size(), 96u);
    EXPECT_EQ(chosen.front(), 0);
    EXPECT_EQ(chosen.back(), 95);
  }
  const std::vector<int32_t> chosen = chosen_at(kernels(), one_more, 0, 0);
  EXPECT_EQ(chosen.size(), 96u);
  EXPECT_EQ(chosen.back(), 96);
}

TEST_P(EveryKernel, SparseAttentionOverTheSelectionEqualsDenseWhileAllFits) {
  const Problem problem({300, 300, 4, 2, 16}, params_of(16, 8, 4, 1, 32, 17));  // 19 slots, 19 blocks
  const Buffer<float> k = random_values(300 * 2 * 16, 2), v = random_values(300 * 2 * 16, 3),
                      q = random_values(300 * 4 * 16, 1);
  PackedKeys keys(2, 16, 300, memory());
  ValueCache values(2, 16, 300, memory());
  keys.append(on(), k.view(300, 2, 16));
  values.append(on(), v.view(300, 2, 16));
  const Selection found = problem.select(kernels());
  Buffer<float> sparse(q.size()), dense(q.size());
  sparse_attention(on(kernels()), q.view(300, 4, 16), keys, values, 0, 16, found.blocks.view(300, 2, 19), 0.25f,
                   sparse.view(300, 4, 16));
  dense_attention(on(kernels()), q.view(300, 4, 16), keys, values, 0, 0.25f, dense.view(300, 4, 16));
  expect_same_bytes(sparse, dense, "sparse and dense");
}

TEST_P(EveryKernel, EqualScoresGoToTheLowerBlocks) {
  for (const float value : {0.0f, 1.0f}) {
    Problem problem({50, 1000, 4, 2, 16}, kSmall);
    Buffer<float> keys(1000 * 2 * 16);
    for (int64_t i = 0; i < keys.size(); ++i) keys[i] = value;
    problem.set_keys(keys);
    const std::vector<int32_t> chosen = chosen_at(kernels(), problem, 49, 1), want{0, 1, 2, 60, 61, 62};
    EXPECT_EQ(chosen, want);
    expect_same_blocks(problem.select(kernels()).blocks, problem.select(ref_kernels()).blocks, "all equal");
  }
}

// Two groups of equal scores: the better one wins, and inside it the lower ids.
TEST_P(EveryKernel, TiesAtTheLastPlaceGoToTheLowerBlocks) {
  Problem problem({1, 3000, 2, 1, 8}, kSmall);
  const Buffer<float> q = random_values(2 * 8, 1);
  Buffer<float> keys(problem.fine.size() * 8);
  for (const int64_t block : {20, 50, 51, 90, 130, 131, 160})  // 4 * block + 1 .. + 2 belong to this block alone
    for (int64_t d = 0; d < 8; ++d) keys[(4 * block + 1) * 8 + d] = (block == 130 ? 2.0f : 1.0f) * (q[d] + q[8 + d]);
  problem.fine.clear();
  problem.fine.append(on(), keys.view(keys.size() / 8, 1, 8));
  const std::vector<int32_t> chosen = chosen_at(kernels(), problem, 0, 0), want{0, 20, 130, 185, 186, 187};
  EXPECT_EQ(problem.params.slots(), 6);
  EXPECT_EQ(chosen, want);
}

TEST_P(EveryKernel, ScoresThatRiseAndScoresThatFall) {
  for (const float slope : {0.02f, -0.02f}) {
    Problem problem({40, 6000, 2, 2, 4}, kSmall, 2);
    Buffer<float> k(6000 * 2 * 4);
    for (int64_t i = 0; i < k.size(); ++i) k[i] = slope * static_cast<float>(i / 8) / 10;
    problem.set_keys(k);
    const Selection ref = problem.select(ref_kernels(), true);
    expect_same_selection(problem, problem.select(kernels()), ref, 1e-4, "monotonous scores");
  }
}

TEST_P(EveryKernel, HugeAndTinyLogits) {
  for (const float logits : {1e-30f, 300.0f, 1e5f, 1e30f}) {
    const Problem problem({70, 700, 4, 2, 16}, kSmall, logits);
    const Selection found = problem.select(kernels(), true);
    int64_t nan = 0, infinite = 0;
    for (int64_t i = 0; i < found.scores.size(); ++i) {
      nan += std::isnan(found.scores[i]);
      infinite += found.scores[i] == INFINITY;
    }
    EXPECT_EQ(nan, 0) << logits;
    EXPECT_EQ(infinite, 70 * 2 * 4) << logits;  // the forced blocks and no others
    expect_same_blocks(problem.select(kernels()).blocks, found.blocks, "without scores");
    if (logits < 1000) expect_same_selection(problem, found, problem.select(ref_kernels(), true), 1e-3, "large logits");
  }
}

TEST_P(EveryKernel, LongDecodeMatchesRef) {
  const Problem problem({3, 200000, 4, 2, 16}, params_of(64, 32, 16, 1, 256, 12), 12);
  const Selection ref = problem.select(ref_kernels(), true), got = problem.select(kernels(), true);
  expect_close_scores(got.scores, ref.scores, 2e-5, "200000 keys");
  expect_same_selection(problem, got, ref, 2e-5, "200000 keys");
  expect_same_blocks(problem.select(kernels()).blocks, got.blocks, "without scores");
}

// Few slots and long windows: while no coarse key is visible, forced blocks come first and then the lowest.
TEST_P(EveryKernel, WithoutCoarseKeysForcedBlocksComeFirst) {
  const Problem problem({120, 120, 2, 1, 8}, params_of(4, 32, 4, 1, 8, 3));  // 5 slots, coarse keys from t = 127 on
  const std::vector<int32_t> chosen = chosen_at(kernels(), problem, 119, 0), want{0, 1, 27, 28, 29};
  EXPECT_EQ(chosen, want);
  const Selection got = problem.select(kernels(), true), ref = problem.select(ref_kernels(), true);
  expect_same_blocks(got.blocks, ref.blocks, "no coarse key");
  expect_same_bytes(got.scores, ref.scores, "no coarse key");
}

TEST(Select, BadCallsNameTheNumbers) {
  const Kernels& kernels = find_kernels("best");
  const Problem problem({4, 400, 4, 2, 16}, kSmall);
  const Buffer<float> q = random_values(4 * 4 * 16, 1);
  Buffer<int32_t> ids(4 * 2 * 6);
  Buffer<float> room(4 * 2 * 25);
  const auto call = [&](const SelectParams& params, TensorView<const float, 3> query, int64_t first,
                        TensorView<int32_t, 3> blocks, const TensorView<float, 3>* scores = nullptr) {
    select_blocks(on(kernels), query, problem.fine, problem.coarse, first, params, blocks, scores);
  };
  const auto good_q = q.view(4, 4, 16);
  const auto good = ids.view(4, 2, 6);
  call(kSmall, good_q, 396, good);
  expect_error(ErrorCode::kConfig, {"select_blocks", "kernel_size 9"},
               [&] { call(params_of(16, 9, 4, 1, 32, 4), good_q, 396, good); });
  expect_error(ErrorCode::kConfig, {"window_size 40"}, [&] { call(params_of(16, 8, 4, 1, 40, 4), good_q, 396, good); });
  expect_error(ErrorCode::kConfig, {"init_blocks -1"}, [&] { call(params_of(16, 8, 4, -1, 32, 4), good_q, 396, good); });
  expect_error(ErrorCode::kConfig, {"3 slots", "topk to at least 2"},
               [&] { call(params_of(16, 8, 4, 1, 32, 1), good_q, 396, ids.view(4, 2, 3)); });
  expect_error(ErrorCode::kShape, {"q is [4, 2, 32]"}, [&] { call(kSmall, q.view(4, 2, 32), 396, good); });
  expect_error(ErrorCode::kShape, {"q is [4, 3, 16]"}, [&] { call(kSmall, q.view(4, 3, 16), 396, good); });
  expect_error(ErrorCode::kShape, {"blocks is [4, 2, 5]", "[4, 2, 6]"},
               [&] { call(kSmall, good_q, 396, ids.view(4, 2, 5)); });
  expect_error(ErrorCode::kShape, {"first position is -3"}, [&] { call(kSmall, good_q, -3, good); });
  expect_error(ErrorCode::kShape, {"position 503", "125 fine", "there are 99"}, [&] { call(kSmall, good_q, 500, good); });
  const auto few = room.view(4, 2, 24);
  expect_error(ErrorCode::kShape, {"scores is [4, 2, 24]", "[4, 2, 25 or more]"},
               [&] { call(kSmall, good_q, 396, good, &few); });
}

// No call takes more than what the op says, and one of them takes most of it (draws of random blocks are apart).
TEST(SelectBlocks, ScratchIsWhatTheOpSays) {
  for (const int threads : {1, 2, 40})
    for (const SelectParams& params : {params_of(16, 8, 4, 1, 32, 5), params_of(64, 32, 16, 1, 256, 12)})
      for (const Shape& shape : {Shape{300, 9000, 4, 2, 8}, {30, 70000, 2, 2, 8}}) {
        const Problem problem(shape, params);
        const Buffer<float> q = random_values(shape.R * shape.H * shape.D, 1);
        ThreadPool pool(threads);
        Workspace workspace;
        const Context context{cpu_device(), find_kernels("best"), Numerics::kFp32, workspace, pool};
        for (const int64_t R : {int64_t{1}, shape.R / 10, shape.R / 3, shape.R / 2, shape.R})
          for (const int rule : {0, 1, 2}) {
            const std::vector<int32_t> some = {1, 3};
            SelectParams wanted = params;
            if (rule == 1) wanted.preferred = some;
            if (rule == 2) wanted.draw = 7;
            Buffer<int32_t> blocks(R * shape.Hkv * params.slots());
            select_blocks(context, q.view(shape.R, shape.H, shape.D).slice(0, R), problem.fine, problem.coarse, shape.S - R,
                          wanted, blocks.view(R, shape.Hkv, params.slots()));
          }
        const int64_t said = select_scratch_bytes({shape.R, shape.S, shape.H, shape.Hkv, shape.D}, params, {threads});
        EXPECT_LE(workspace.peak_bytes(), said) << shape.name() << ", " << threads << " threads";
        EXPECT_GE(workspace.peak_bytes(), said * 7 / 10) << shape.name() << ", " << threads << " threads";
      }
}

INSTANTIATE_EVERY_KERNEL();

}  // namespace
}  // namespace sala::ops
