#include "eval/run/selection.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sala/core/rng.h"
#include "tests/eval/fakes.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

// Evidence: token 0 (block 0) and tokens 20..49 (21..50 behind BOS: blocks 1, 2, 3); the answer begins at position 99.
Selection fake_selection() {
  AnswerProbe probe({{0, 1, 0, "a", "b"}, {20, 50, 0.5, "c", "d"}}, 1, 100);
  FakeEngine::report(probe, 100, 2);
  return probe.take();
}

TEST(AnswerProbe, WatchesTheLastPromptTokenAndWhatFollows) {
  const Selection selection = fake_selection();
  EXPECT_EQ(selection.positions, (std::vector<int64_t>{99, 100, 101}));
  EXPECT_EQ(selection.block_size, 16);
  ASSERT_EQ(selection.layers.size(), 2u);
  EXPECT_EQ(selection.layers[0].layer, 1);
  EXPECT_EQ(selection.layers[1].layer, 4);
  EXPECT_EQ(selection.layers[0].blocks.size(), 3u * 2 * 3);
  EXPECT_EQ(selection.layers[0].blocks[0], 4);
}

TEST(AnswerProbe, EvidenceBlocksAreShiftedByThePrefixAndKnowTheirSpan) {
  const Selection selection = fake_selection();
  EXPECT_EQ(selection.evidence_blocks, (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(selection.evidence_span, (std::vector<int32_t>{0, 1, 1, 1}));
}

// Only head 1 of layer 4 reads block 0: 3 of 2 layers x 3 queries x 2 heads x 4 blocks.
TEST(AnswerProbe, RecallCountsReadsAndReachedCountsBlocks) {
  const Selection selection = fake_selection();
  EXPECT_DOUBLE_EQ(selection.recall(), 3.0 / 48);
  EXPECT_DOUBLE_EQ(selection.reached(), 1.0 / 4);
}

TEST(AnswerProbe, RankIsThePlaceByScore) {
  const Selection selection = fake_selection();
  // Scores rise with the block id and the query's own block is 6: block 0 is last of 7.
  EXPECT_EQ(selection.layers[0].evidence_rank[0], 6);
  EXPECT_EQ(selection.layers[0].evidence_rank[3], 3);
  EXPECT_EQ(selection.layers[1].evidence_rank[4], 0);  // head 1 of layer 4 scores block 0 highest
}

TEST(AnswerProbe, TiesAndForcedBlocksRankByLowerId) {
  AnswerProbe probe({{32, 33, 0, "", ""}, {64, 65, 0, "", ""}}, 0, 100);
  const float inf = INFINITY;
  const std::vector<float> scores = {inf, 3, 3, 3, 1, -inf, inf};
  const std::vector<int32_t> blocks = {0, 1, 2, 6};
  probe.on_selection(0, 99, 16, make_view<const int32_t>(blocks.data(), 1, 4), make_view<const float>(scores.data(), 1, 7));
  const Selection selection = probe.take();
  EXPECT_EQ(selection.layers[0].evidence_rank, (std::vector<int32_t>{3, 5}));  // after 0, 6, 1; after 3 as well
  EXPECT_EQ(selection.layers[0].evidence_selected, (std::vector<uint8_t>{1, 0}));
}

TEST(AnswerProbe, ADenseRunSelectsNothing) {
  AnswerProbe probe({{0, 1, 0, "a", "b"}}, 1, 100);
  const Selection selection = probe.take();
  EXPECT_TRUE(selection.layers.empty());
  EXPECT_TRUE(std::isnan(selection.recall()));
  EXPECT_TRUE(std::isnan(selection.reached()));
}

TEST(SelectionBytes, RoundTrip) {
  EXPECT_EQ(parse_selection(selection_bytes(fake_selection())), fake_selection());
  EXPECT_EQ(parse_selection(selection_bytes(Selection())), Selection());
}

TEST(SelectionBytes, EveryCutAndEveryLieIsRefused) {
  const std::string bytes = selection_bytes(fake_selection());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    expect_error(ErrorCode::kFormat, {"damaged"}, [&] { parse_selection(bytes.substr(0, size)); });
  expect_error(ErrorCode::kFormat, {"damaged"}, [&] { parse_selection(bytes + "x"); });
  Rng rng(1, "tests/selection");
  for (int trial = 0; trial < 2000; ++trial) {  // a flipped byte may be harmless, never a crash
    std::string wrong = bytes;
    wrong[rng.below(wrong.size())] = static_cast<char>(rng.below(256));
    try {
      parse_selection(wrong);
    } catch (const Error& problem) {
      EXPECT_EQ(problem.code(), ErrorCode::kFormat);
    }
  }
}

}  // namespace
}  // namespace sala::eval
