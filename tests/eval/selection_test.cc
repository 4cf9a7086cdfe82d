#include "eval/observe/selection.h"

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
  FakeSubject::report(probe, 100, 2);
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

// Free blocks 1, 2, 4, 5 score e^0, e^2, e^3, e^-1; evidence in 2 and 5, 2 and 4 are selected.
TEST(AnswerProbe, ScoresAreLogarithmsOfWhatIsNotForced) {
  AnswerProbe probe({{32, 33, 0, "", ""}, {80, 81, 0, "", ""}}, 0, 100);
  const float inf = INFINITY;
  const std::vector<float> scores = {inf, 1, std::exp(2.f), -inf, std::exp(3.f), std::exp(-1.f), inf};
  const std::vector<int32_t> blocks = {0, 2, 4, 6};
  probe.on_selection(0, 99, 16, make_view<const int32_t>(blocks.data(), 1, 4), make_view<const float>(scores.data(), 1, 7));
  const LayerSelection layer = probe.take().layers[0];
  EXPECT_NEAR(layer.evidence_score[0], 2, 1e-6);
  EXPECT_NEAR(layer.evidence_score[1], -1, 1e-6);
  EXPECT_NEAR(layer.cut_score[0], 2, 1e-6);
  EXPECT_NEAR(layer.score_mean[0], 1.5, 1e-6);
  EXPECT_NEAR(layer.score_std[0], 1.5, 1e-6);
}

// Keys 0, 10, 70 with weights 1, 2, 5; evidence holds 10 alone.
TEST(AttentionFigures, AreThoseOfASmallCase) {
  const std::vector<int64_t> keys = {0, 10, 70};
  const std::vector<float> logits = {0, std::log(2.f), std::log(5.f)};
  const AttentionFigures figures = attention_figures(keys, logits, {{3, 5}, {9, 12}});
  EXPECT_EQ(figures.keys, 3);
  EXPECT_NEAR(figures.sink_mass, 1.0 / 8, 1e-6);
  EXPECT_NEAR(figures.start_mass, 3.0 / 8, 1e-6);
  EXPECT_NEAR(figures.evidence_mass, 2.0 / 8, 1e-6);
  EXPECT_NEAR(figures.evidence_logit, std::log(2), 1e-6);
  EXPECT_NEAR(figures.background_lse, std::log(6), 1e-6);
  EXPECT_NEAR(figures.background_mean, std::log(5) / 2, 1e-6);
  EXPECT_NEAR(figures.background_std, std::log(5) / 2, 1e-6);
  EXPECT_NEAR(figures.entropy, std::log(8) - (2 * std::log(2) + 5 * std::log(5)) / 8, 1e-6);
  const AttentionFigures none = attention_figures(keys, logits, {});
  EXPECT_TRUE(std::isnan(none.evidence_logit));
  EXPECT_EQ(none.evidence_mass, 0);
  const AttentionFigures all = attention_figures(keys, logits, {{0, 100}});
  EXPECT_TRUE(std::isnan(all.background_lse));
  EXPECT_NEAR(all.evidence_mass, 1, 1e-12);
  EXPECT_EQ(attention_figures({}, {}, {}).keys, 0);
}

TEST(AnswerProbe, AttentionIsKeptByHeadAndHiddenStatesByTheirLargest) {
  AnswerProbe probe({{20, 50, 0.5, "c", "d"}, {40, 60, 0.5, "c", "d"}}, 1, 100);
  EXPECT_TRUE(probe.wants_attention(99));
  EXPECT_FALSE(probe.wants_attention(98));
  const std::vector<int64_t> keys = {0, 60};
  const std::vector<float> logits = {0, 0};
  for (const int layer : {3, 1})
    for (const int64_t head : {0, 1}) probe.on_attention(layer, 99, head, keys, logits);
  const std::vector<float> hidden = {1, -2, 3, -9, 5, 4};
  probe.on_hidden(0, 64, make_view<const float>(hidden.data(), 2, 3));
  const Selection selection = probe.take();
  EXPECT_EQ(selection.positions, std::vector<int64_t>{99});
  ASSERT_EQ(selection.attention.size(), 2u);
  EXPECT_EQ(selection.attention[0].layer, 1);
  EXPECT_EQ(selection.attention[0].heads, 2);
  EXPECT_EQ(selection.attention[1].evidence_mass, (std::vector<double>{0.5, 0.5})) << "key 60 is the last of evidence";
  ASSERT_EQ(selection.hidden.size(), 1u);
  EXPECT_EQ(selection.hidden[0].largest, 9);
  EXPECT_EQ(selection.hidden[0].position, 65);
  EXPECT_EQ(selection.hidden[0].channel, 0);
  EXPECT_EQ(selection.hidden[0].median, 2) << "token 64 counts, 65 does not";
  EXPECT_EQ(selection_bytes(parse_selection(selection_bytes(selection))), selection_bytes(selection));
}

TEST(AnswerProbe, LayersMustSeeTheSameQueries) {
  AnswerProbe probe({}, 0, 100);
  const std::vector<int64_t> keys = {0};
  const std::vector<float> logits = {0};
  probe.on_attention(0, 99, 0, keys, logits);
  probe.on_attention(1, 100, 0, keys, logits);
  expect_error(ErrorCode::kInternal, {"layer 1", "other queries"}, [&] { probe.take(); });
}

TEST(SelectionBytes, RoundTrip) {
  for (const std::string& bytes : {selection_bytes(fake_selection()), selection_bytes(Selection())})
    EXPECT_EQ(selection_bytes(parse_selection(bytes)), bytes);
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
