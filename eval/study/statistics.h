// What numbers of few samples and few trainings can carry. Scores are shares of 1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/spec/cell_result.h"

namespace sala::eval {

// Two-sided exact sign test: the probability of a split at least as uneven as this one, when both directions are as likely.
// Ties do not count. 1 when there is nothing to count.
double sign_test(int64_t better, int64_t worse);

// 95 % interval of mean(a) - mean(b), a[i] and b[i] being scores of one sample: Wilson's intervals of both means, joined by
// Newcombe's method 10 (Statistics in Medicine 17, 1998), whose correlation is corrected for continuity. It does not shrink
// to a point when all samples scored the same. Throws Error{kInternal} unless both have the same number, at least 1.
Interval paired_interval(std::span<const double> a, std::span<const double> b);
// Of the mean of independent differences with these intervals (MOVER).
Interval mean_difference_interval(std::span<const double> differences, std::span<const Interval> intervals);

// 95 % interval of a ratio of independent means a / b with their intervals (Donner and Zou, 2012, MOVER-R); none where the
// denominator may be 0.
std::optional<Interval> ratio_interval(double a, const Interval& of_a, double b, const Interval& of_b);

// [training][task][sample]
using Trainings = std::vector<std::vector<std::vector<double>>>;
// 95 % hierarchical bootstrap interval of the mean over tasks of a, less that of b (b may be empty: then of a alone).
// Drawn with replacement: the trainings of each side, then within each task the samples, the same ones for every training
// and for both sides. The tasks stay: a benchmark is its tasks. A task whose samples all scored (or differ) the same would
// claim certainty, so it is drawn from its Wilson (Newcombe) interval as well. Percentiles 2.5 and 97.5 of 2,000 draws;
// deterministic.
// None when neither side has two trainings and no task has two samples.
std::optional<Interval> hierarchical_bootstrap(const Trainings& a, const Trainings& b, uint64_t seed = 42);

// Kendall's tau-b of two rankings: 1 the same order, -1 the opposite; NaN with fewer than two pairs, or all tied.
double rank_agreement(std::span<const double> a, std::span<const double> b);

}  // namespace sala::eval
