#include "eval/study/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sala/core/error.h"
#include "sala/core/rng.h"

namespace sala::eval {
namespace {

constexpr int64_t kDraws = 2000;

double mean_over(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double squared(double value) { return value * value; }

// Pearson's correlation, the covariance brought nearer to 0 by 1 / 2n where it is above (Newcombe's continuity correction).
double correlation(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean_over(a), mean_b = mean_over(b), n = static_cast<double>(a.size());
  double both = 0, of_a = 0, of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean_a) * (b[i] - mean_b);
    of_a += squared(a[i] - mean_a);
    of_b += squared(b[i] - mean_b);
  }
  if (of_a <= 0 || of_b <= 0) return 0;
  if (both > 0) both = std::max(0.0, both - 0.5);
  return both / std::sqrt(of_a * of_b) * (n > 0 ? 1 : 0);
}

Interval percentiles(std::vector<double>& draws) {
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double share) {
    return draws[static_cast<std::size_t>(share * static_cast<double>(draws.size() - 1) + 0.5)];
  };
  return {at(0.025), at(0.975)};
}

bool varies(const Trainings& side) {
  return side.size() > 1 || std::any_of(side.begin(), side.end(), [](const auto& tasks) {
           return std::any_of(tasks.begin(), tasks.end(), [](const auto& samples) { return samples.size() > 1; });
         });
}

using Picked = std::vector<std::vector<std::size_t>>;  // [task][sample]

// A task whose samples all say the same: drawing them again could not show what they leave open.
struct Silent {
  double mean = 0;
  Interval interval;  // Wilson's; Newcombe's of a difference
  // Off the mean by `z` standard deviations of the interval's own side.
  double away(double z) const { return z * (z < 0 ? mean - interval.low : interval.high - mean) / kNormal95; }
};

// Means over the trainings of each sample.
std::vector<double> means_of(const Trainings& side, std::size_t task) {
  std::vector<double> means(side[0][task].size(), 0.0);
  for (const auto& tasks : side)
    for (std::size_t i = 0; i < means.size(); ++i) means[i] += tasks[task][i];
  for (double& mean : means) mean /= static_cast<double>(side.size());
  return means;
}

std::vector<Silent> silent_tasks(const Trainings& a, const Trainings& b) {
  std::vector<Silent> silent;
  for (std::size_t task = 0; task < a[0].size(); ++task) {
    const std::vector<double> of_a = means_of(a, task);
    std::vector<double> differences = of_a, of_b;
    if (!b.empty()) of_b = means_of(b, task);
    for (std::size_t i = 0; i < of_b.size(); ++i) differences[i] -= of_b[i];
    if (std::any_of(differences.begin(), differences.end(),
                    [&](double each) { return std::abs(each - differences[0]) > 1e-9; }))
      continue;
    silent.push_back({mean_over(differences), b.empty() ? wilson_interval(of_a[0], static_cast<int64_t>(of_a.size()))
                                                        : paired_interval(of_a, of_b)});
  }
  return silent;
}

// Mean over the drawn trainings and all tasks of the drawn samples.
double drawn_mean(const Trainings& side, const Picked& picked, Rng& rng) {
  double sum = 0;
  for (std::size_t i = 0; i < side.size(); ++i) {
    const auto& tasks = side[side.size() > 1 ? static_cast<std::size_t>(rng.below(side.size())) : 0];
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      double task = 0;
      for (const std::size_t index : picked[t]) task += tasks[t][index];
      sum += task / static_cast<double>(picked[t].size()) / static_cast<double>(tasks.size());
    }
  }
  return sum / static_cast<double>(side.size());
}

}  // namespace

double sign_test(int64_t better, int64_t worse) {
  const int64_t n = better + worse, few = std::min(better, worse);
  double tail = 0, log_choose = 0;
  for (int64_t k = 0; k <= few; ++k) {
    if (k > 0) log_choose += std::log(static_cast<double>(n - k + 1)) - std::log(static_cast<double>(k));
    tail += std::exp(log_choose - static_cast<double>(n) * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

Interval paired_interval(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || a.size() != b.size())
    throw Error(ErrorCode::kInternal, "paired_interval: {} and {} scores", a.size(), b.size());
  const auto count = static_cast<int64_t>(a.size());
  const double mean_a = mean_over(a), mean_b = mean_over(b), phi = correlation(a, b);
  const Interval of_a = wilson_interval(mean_a, count), of_b = wilson_interval(mean_b, count);
  const auto joined = [phi](double x, double y) { return std::sqrt(std::max(0.0, x * x - 2 * phi * x * y + y * y)); };
  return {mean_a - mean_b - joined(mean_a - of_a.low, of_b.high - mean_b),
          mean_a - mean_b + joined(of_a.high - mean_a, mean_b - of_b.low)};
}

Interval mean_difference_interval(std::span<const double> differences, std::span<const Interval> intervals) {
  double below = 0, above = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    below += squared(differences[i] - intervals[i].low);
    above += squared(intervals[i].high - differences[i]);
  }
  const double mean = mean_over(differences), n = static_cast<double>(differences.size());
  return {mean - std::sqrt(below) / n, mean + std::sqrt(above) / n};
}

std::optional<Interval> ratio_interval(double a, const Interval& of_a, double b, const Interval& of_b) {
  if (b <= 0 || of_b.low <= 0 || of_b.high >= 2 * b) return std::nullopt;
  const auto bound = [&](double end_a, double end_b) {
    const double under = end_b * (2 * b - end_b);
    return std::pair(std::sqrt(std::max(0.0, squared(a * b) - end_a * (2 * a - end_a) * under)), under);
  };
  const auto [below, under_low] = bound(of_a.low, of_b.high);
  const auto [above, under_high] = bound(of_a.high, of_b.low);
  return Interval{std::max(0.0, (a * b - below) / under_low), (a * b + above) / under_high};
}

std::optional<Interval> hierarchical_bootstrap(const Trainings& a, const Trainings& b, uint64_t seed) {
  if (a.empty() || a[0].empty()) throw Error(ErrorCode::kInternal, "hierarchical_bootstrap: nothing to draw from");
  if (!varies(a) && !varies(b)) return std::nullopt;
  const std::vector<Silent> silent = silent_tasks(a, b);
  const auto tasks = static_cast<double>(a[0].size());
  std::vector<double> draws;
  for (int64_t draw = 0; draw < kDraws; ++draw) {
    Rng rng(seed, "study/bootstrap", static_cast<uint64_t>(draw));
    Picked picked;
    for (const std::vector<double>& samples : a[0]) {
      std::vector<std::size_t>& indexes = picked.emplace_back();
      for (std::size_t i = 0; i < samples.size(); ++i)
        indexes.push_back(static_cast<std::size_t>(rng.below(samples.size())));
    }
    double mean = drawn_mean(a, picked, rng);
    if (!b.empty()) mean -= drawn_mean(b, picked, rng);
    Rng open(seed, "study/silent", static_cast<uint64_t>(draw));
    for (const Silent& task : silent) mean += task.away(open.normal()) / tasks;
    draws.push_back(std::clamp(mean, b.empty() ? 0.0 : -1.0, 1.0));
  }
  return percentiles(draws);
}

double rank_agreement(std::span<const double> a, std::span<const double> b) {
  double agree = 0, untied_a = 0, untied_b = 0;
  const auto sign = [](double x, double y) { return x > y ? 1.0 : x < y ? -1.0 : 0.0; };
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const double of_a = sign(a[i], a[j]), of_b = sign(b[i], b[j]);
      agree += of_a * of_b;
      untied_a += std::abs(of_a);
      untied_b += std::abs(of_b);
    }
  return untied_a > 0 && untied_b > 0 ? agree / std::sqrt(untied_a * untied_b) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace sala::eval
