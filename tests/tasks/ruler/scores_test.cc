// Spec tasks 1.10, appendix B.2 and B.7, and rows of upstream's README.
#include <gtest/gtest.h>

#include <cmath>

#include "sala/core/error.h"
#include "sala/tasks/ruler_scores.h"
#include "tasks/text/match.h"

namespace sala::tasks {
namespace {

TEST(RulerScores, MetricOfAppendixB2) {
  EXPECT_EQ(ruler_task_score(std::vector<double>{string_match_all("1234567 and 7654321", {"1234567", "9999999"})}), 50.0);
  EXPECT_EQ(ruler_task_score(std::vector<double>{string_match_part("Paris.", {"paris", "London"})}), 100.0);
  EXPECT_EQ(postprocess_prediction("a\tb\x01"
                                   "c"),
            "a\nb\nc");
  EXPECT_EQ(count_nulls(std::vector<std::string_view>{"", " \n\x02", "x", "0"}), 2);
}

// Values that CPython 3.11 gives for round(x, 2).
TEST(RulerScores, RoundsAsPython) {
  EXPECT_EQ(round_to_cents(2.675), 2.67);  // the double is below the tie
  EXPECT_EQ(round_to_cents(0.125), 0.12);  // exact ties go to even
  EXPECT_EQ(round_to_cents(0.375), 0.38);
  EXPECT_EQ(round_to_cents(66.66666666666667), 66.67);
  EXPECT_EQ(round_to_cents(100.0), 100.0);
  EXPECT_EQ(round_to_cents(0.005), 0.01);  // 0.005000000000000000104
  EXPECT_EQ(round_to_cents(1.005), 1.0);
  EXPECT_EQ(ruler_task_score(std::vector<double>{1, 1, 0}), 66.67);
  EXPECT_EQ(ruler_task_score(std::vector<double>{0.2, 0.4, 0.4}), 33.33);
}

TEST(RulerScores, MeanOfThirteen) {
  std::vector<double> scores(13, 100.0);
  scores[12] = 48.0;
  EXPECT_DOUBLE_EQ(ruler_mean(scores), 96.0);
}

// Appendix B.7, and the README's rows: 4K 8K 16K 32K 64K 128K.
TEST(RulerScores, AveragesAsPublished) {
  const RulerAverages averages = ruler_averages(std::vector<double>{96.5, 95.8, 95.4, 94.8, 88.4, 66.6});
  EXPECT_NEAR(averages.mean, 89.6, 0.05);
  EXPECT_NEAR(averages.increasing, 85.5, 0.05);
  EXPECT_NEAR(averages.decreasing, 93.7, 0.05);
  const RulerAverages flat = ruler_averages(std::vector<double>{70.0, 70.0, 70.0});
  EXPECT_DOUBLE_EQ(flat.increasing, 70.0);
  EXPECT_DOUBLE_EQ(flat.decreasing, 70.0);
}

TEST(RulerScores, EffectiveLengthOfPublishedRows) {
  const auto row = [](std::vector<double> scores) {
    std::map<int64_t, double> by_length;
    for (size_t i = 0; i < scores.size(); ++i) by_length[int64_t{4096} << i] = scores[i];
    return effective_length(by_length);
  };
  EXPECT_EQ(row({95.5, 93.8, 91.6, 87.4, 84.7, 77.0}), 32768);   // Llama-3.1-8B
  EXPECT_EQ(row({96.5, 95.8, 95.4, 94.8, 88.4, 66.6}), 65536);   // Llama-3.1-70B
  EXPECT_EQ(row({96.3, 96.0, 91.8, 91.2, 82.1, 77.4}), 32768);   // Qwen3-8B
  EXPECT_EQ(row({95.1, 93.6, 91.0, 87.8, 77.8, 66.0}), 32768);   // Qwen3-4B
  EXPECT_EQ(row({96.7, 95.8, 96.0, 95.9, 95.9, 94.4}), 131072);  // Gemini-1.5-pro
  EXPECT_EQ(row({85.6, 80.0}), std::nullopt) << "the score must exceed the threshold";
  EXPECT_EQ(row({80.0, 90.0}), 8192);
}

TEST(RulerScores, BootstrapIntervalCoversTheMeanAndIsRepeatable) {
  std::vector<std::vector<double>> tasks(13);
  for (size_t t = 0; t < tasks.size(); ++t)
    for (size_t i = 0; i < 100; ++i) tasks[t].push_back(i < 80 ? 1.0 : 0.0);
  const Interval interval = bootstrap_interval(tasks);
  EXPECT_LT(interval.low, 80.0);
  EXPECT_GT(interval.high, 80.0);
  // 95 % of a mean of 1300 independent samples at 0.8: 1.96 * 100 * sqrt(0.16 / 1300) = 2.17 points on either side.
  EXPECT_NEAR(interval.high - interval.low, 2 * 2.17, 0.35);
  const Interval again = bootstrap_interval(tasks);
  EXPECT_EQ(interval.low, again.low);
  EXPECT_EQ(interval.high, again.high);
  const Interval certain = bootstrap_interval({{1.0, 1.0}, {0.0}});
  EXPECT_EQ(certain.low, 50.0);
  EXPECT_EQ(certain.high, 50.0);
}

TEST(RulerScores, DepthDeciles) {
  const std::vector<double> depths = {0.0, 0.05, 0.1, 0.999, 1.0}, scores = {1, 0, 1, 0, 1};
  const auto bins = score_by_depth(depths, scores);
  EXPECT_EQ(bins[0].samples, 2);
  EXPECT_DOUBLE_EQ(bins[0].score, 50.0);
  EXPECT_EQ(bins[1].samples, 1);
  EXPECT_DOUBLE_EQ(bins[1].score, 100.0);
  EXPECT_EQ(bins[5].samples, 0);
  EXPECT_EQ(bins[9].samples, 2);
  EXPECT_DOUBLE_EQ(bins[9].score, 50.0);
}

TEST(RulerScores, RefuseWhatHasNoScore) {
  const std::vector<double> none;
  EXPECT_THROW(ruler_task_score(none), Error);
  EXPECT_THROW(ruler_mean(none), Error);
  EXPECT_THROW(ruler_averages(none), Error);
  EXPECT_THROW(bootstrap_interval({}), Error);
  EXPECT_THROW(bootstrap_interval({{1.0}, {}}), Error);
  EXPECT_THROW(score_by_depth(std::vector<double>{0.5}, none), Error);
  EXPECT_THROW(score_by_depth(std::vector<double>{1.5}, std::vector<double>{1}), Error);
  EXPECT_THROW(score_by_depth(std::vector<double>{std::nan("")}, std::vector<double>{1}), Error);
}

}  // namespace
}  // namespace sala::tasks
