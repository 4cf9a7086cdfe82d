#include "tasks/nolima/metrics.h"

#include <gtest/gtest.h>

#include "sala/core/error.h"

namespace sala::tasks {
namespace {

using enum NolimaMetric;

TEST(NolimaMetrics, ExactStripsAndComparesWhole) {
  EXPECT_EQ(nolima_match(kExact, " Greta\n", {"Greta"}), 1);
  EXPECT_EQ(nolima_match(kExact, "Greta.", {"Greta"}), 0);
  EXPECT_EQ(nolima_match(kExact, "Ruben", {"Greta", "Ruben"}), 1);
  EXPECT_EQ(nolima_match(kExact, "", {"Greta"}), 0);
}

TEST(NolimaMetrics, ContainsIsCaseSensitive) {
  EXPECT_EQ(nolima_match(kContains, "It was Greta, I think.", {"Greta"}), 1);
  EXPECT_EQ(nolima_match(kContains, "GRETA", {"Greta"}), 0);
  EXPECT_EQ(nolima_match(kContains, "", {"Greta"}), 0);
}

TEST(NolimaMetrics, LastLineLooksAtTheLastLineOnly) {
  const std::string reasoned = "Greta lives near the tower.\nSo it is Ruben. \n\n";
  EXPECT_EQ(nolima_match(kLastlineContains, reasoned, {"Ruben"}), 1);
  EXPECT_EQ(nolima_match(kLastlineContains, reasoned, {"Greta"}), 0);
  EXPECT_EQ(nolima_match(kLastlineExact, reasoned, {"So it is Ruben."}), 1);
  EXPECT_EQ(nolima_match(kLastlineExact, reasoned, {"Ruben"}), 0);
}

TEST(NolimaMetrics, NamesAsUpstream) {
  EXPECT_EQ(metric_name(kExact), "EM");
  EXPECT_EQ(metric_name(kContains), "contains");
  EXPECT_EQ(metric_name(kLastlineExact), "lastline_EM");
  EXPECT_EQ(metric_name(kLastlineContains), "lastline_contains");
}

void add(std::vector<NolimaTest>& tests, const std::string& pair, int64_t length, std::vector<double> scores) {
  for (double score : scores) tests.push_back({pair, length, score});
}

// Base: best length of each pair first, then the mean: (1 + 0.5) / 2, not the mean of any one length.
TEST(NolimaMetrics, BaseIsTheMeanOfEachPairsBest) {
  std::vector<NolimaTest> tests;
  add(tests, "a", 250, {1, 1});
  add(tests, "a", 500, {0, 1});
  add(tests, "b", 250, {0, 0});
  add(tests, "b", 500, {0, 1});
  add(tests, "a", 4000, {1, 1});
  add(tests, "b", 4000, {1, 0});
  add(tests, "a", 8000, {1, 0});
  add(tests, "b", 8000, {0, 0, 0, 0});
  const NolimaSummary summary = summarize_nolima(tests, {250, 500, 1000});
  EXPECT_DOUBLE_EQ(summary.base, 0.75);
  EXPECT_DOUBLE_EQ(summary.threshold, 0.85 * 0.75);
  EXPECT_EQ(summary.effective_length, 4000);
  ASSERT_EQ(summary.lengths.size(), 4u);
  EXPECT_EQ(summary.lengths[2].length, 4000);
  EXPECT_DOUBLE_EQ(summary.lengths[2].score, 0.75);
  EXPECT_DOUBLE_EQ(summary.lengths[2].normalised, 1.0);
  EXPECT_FALSE(summary.lengths[2].below_half);
  EXPECT_DOUBLE_EQ(summary.lengths[3].score, 0.25);  // pairs weigh alike, however many tests they have
  EXPECT_TRUE(summary.lengths[3].below_half);
  EXPECT_EQ(summary.lengths[3].tests, 6);
  EXPECT_EQ(summary.lengths[3].pairs, 2);
}

// "<1K": a length below the last base length is no effective length.
TEST(NolimaMetrics, ShortLengthsAloneAreBelowTheScale) {
  std::vector<NolimaTest> tests;
  for (const int64_t length : {250, 500}) add(tests, "a", length, {1});
  for (const int64_t length : {1000, 2000}) add(tests, "a", length, {0});
  EXPECT_FALSE(summarize_nolima(tests, {250, 500, 1000}).effective_length.has_value());
  add(tests, "a", 1000, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_EQ(summarize_nolima(tests, {250, 500, 1000}).effective_length, 1000);
}

TEST(NolimaMetrics, NoLengthAboveTheThresholdIsNone) {
  std::vector<NolimaTest> tests;
  add(tests, "a", 250, {1});
  add(tests, "b", 500, {1});
  add(tests, "a", 500, {0});
  add(tests, "b", 250, {0});
  EXPECT_EQ(summarize_nolima(tests, {250, 500, 1000}).effective_length, std::nullopt);  // base 1, both lengths 0.5
}

TEST(NolimaMetrics, WithoutABaseLengthThereIsNoBase) {
  std::vector<NolimaTest> tests;
  add(tests, "a", 4000, {1});
  EXPECT_THROW(summarize_nolima(tests, {250, 500, 1000}), Error);
}

}  // namespace
}  // namespace sala::tasks
