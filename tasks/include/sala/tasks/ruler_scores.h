// RULER's aggregation (spec tasks 1.10): task scores, the mean of 13, effective length, weighted averages, intervals, depth.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sala::tasks {

// Llama-2-7B-chat at 4K: a length counts as mastered when its score exceeds this.
inline constexpr double kRulerThreshold = 85.6;

// round(value, 2) of Python: the nearest two-decimal number to the binary double, exact ties to even.
double round_to_cents(double value);

// Scores of samples in [0, 1] to a task score in percent with two decimals, as upstream writes it. Throws Error{kUsage} for
// none.
double ruler_task_score(std::span<const double> sample_scores);
// Predictions that are empty after post-processing.
int64_t count_nulls(std::span<const std::string_view> predictions);
// Unweighted mean of task scores. Upstream's column is the mean of all 13; of fewer it is a mean of those.
double ruler_mean(std::span<const double> task_scores);

// Largest tested length whose score exceeds `threshold`; none when no score does. A longer length counts even when a shorter
// one fails, as published.
std::optional<int64_t> effective_length(const std::map<int64_t, double>& score_by_length,
                                        double threshold = kRulerThreshold);

struct RulerAverages {
  double mean = 0;  // Avg.
  double increasing = 0,
         decreasing = 0;  // wAvg (inc) and (dec): weights 1, 2, ... from the shortest length, and the other way round
};
// Scores from the shortest length to the longest; upstream has six, 4K to 128K. Throws Error{kUsage} for none.
RulerAverages ruler_averages(std::span<const double> scores);

struct Interval {
  double low = 0, high = 0;
};
// 95 % bootstrap interval of the mean over tasks, in percent: samples are drawn with replacement within each task,
// `resamples` times; percentiles 2.5 and 97.5. tasks[t]: scores of its samples in [0, 1]. Deterministic for a seed.
Interval bootstrap_interval(const std::vector<std::vector<double>>& tasks, uint64_t seed = 42, int64_t resamples = 2000);

struct DepthBin {
  int64_t samples = 0;
  double score = 0;  // mean, percent; 0 without samples
};
// Mean score by depth of the evidence: bin d holds depths in [d/10, (d+1)/10), 1.0 in the last.
// depths, scores: one pair per sample (a sample with several spans: one pair per span).
std::array<DepthBin, 10> score_by_depth(std::span<const double> depths, std::span<const double> scores);

}  // namespace sala::tasks
