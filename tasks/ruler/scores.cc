#include <algorithm>
#include <charconv>
#include <cmath>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/tasks/ruler_scores.h"
#include "tasks/text/match.h"

namespace sala::tasks {
namespace {

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

double round_to_cents(double value) {
  // Decimal digits of the exact binary value, then the nearest double to them: what Python's round() does.
  std::array<char, 512> text;
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 2);
  double rounded = value;
  if (written.ec == std::errc()) std::from_chars(text.data(), written.ptr, rounded);
  return rounded;
}

double ruler_task_score(std::span<const double> sample_scores) {
  if (sample_scores.empty()) throw Error(ErrorCode::kUsage, "ruler_task_score: no samples to score");
  return round_to_cents(mean_of(sample_scores) * 100);
}

int64_t count_nulls(std::span<const std::string_view> predictions) {
  return std::count_if(predictions.begin(), predictions.end(),
                       [](std::string_view prediction) { return postprocess_prediction(prediction).empty(); });
}

double ruler_mean(std::span<const double> task_scores) {
  if (task_scores.empty()) throw Error(ErrorCode::kUsage, "ruler_mean: no task scores");
  return mean_of(task_scores);
}

std::optional<int64_t> effective_length(const std::map<int64_t, double>& score_by_length, double threshold) {
  std::optional<int64_t> longest;
  for (const auto& [length, score] : score_by_length)
    if (score > threshold) longest = length;
  return longest;
}

RulerAverages ruler_averages(std::span<const double> scores) {
  if (scores.empty()) throw Error(ErrorCode::kUsage, "ruler_averages: no scores");
  const auto lengths = static_cast<double>(scores.size());
  RulerAverages averages;
  averages.mean = mean_of(scores);
  for (size_t i = 0; i < scores.size(); ++i) {
    averages.increasing += static_cast<double>(i + 1) * scores[i];
    averages.decreasing += (lengths - static_cast<double>(i)) * scores[i];
  }
  const double weights = lengths * (lengths + 1) / 2;
  averages.increasing /= weights;
  averages.decreasing /= weights;
  return averages;
}

Interval bootstrap_interval(const std::vector<std::vector<double>>& tasks, uint64_t seed, int64_t resamples) {
  if (tasks.empty() || resamples < 1)
    throw Error(ErrorCode::kUsage, "bootstrap_interval: {} tasks, {} resamples", tasks.size(), resamples);
  for (const auto& scores : tasks)
    if (scores.empty()) throw Error(ErrorCode::kUsage, "bootstrap_interval: a task has no samples");
  std::vector<double> means;
  for (int64_t resample = 0; resample < resamples; ++resample) {
    Rng rng(seed, "ruler/bootstrap", static_cast<uint64_t>(resample));
    double sum = 0;
    for (const auto& scores : tasks) {
      double drawn = 0;
      for (size_t i = 0; i < scores.size(); ++i) drawn += scores[rng.below(scores.size())];
      sum += drawn / static_cast<double>(scores.size());
    }
    means.push_back(100 * sum / static_cast<double>(tasks.size()));
  }
  std::sort(means.begin(), means.end());
  // Linear between the neighbouring order statistics.
  const auto percentile = [&](double share) {
    const double at = share * static_cast<double>(means.size() - 1);
    const auto below = static_cast<size_t>(at);
    const size_t above = std::min(below + 1, means.size() - 1);
    return means[below] + (at - std::floor(at)) * (means[above] - means[below]);
  };
  return {percentile(0.025), percentile(0.975)};
}

std::array<DepthBin, 10> score_by_depth(std::span<const double> depths, std::span<const double> scores) {
  if (depths.size() != scores.size())
    throw Error(ErrorCode::kUsage, "score_by_depth: {} depths, {} scores", depths.size(), scores.size());
  std::array<DepthBin, 10> bins{};
  for (size_t i = 0; i < depths.size(); ++i) {
    if (!(depths[i] >= 0 && depths[i] <= 1))
      throw Error(ErrorCode::kUsage, "score_by_depth: depth {} is outside 0 to 1", depths[i]);
    DepthBin& bin = bins[std::min<size_t>(9, static_cast<size_t>(depths[i] * 10))];
    ++bin.samples;
    bin.score += 100 * scores[i];
  }
  for (DepthBin& bin : bins)
    if (bin.samples > 0) bin.score /= static_cast<double>(bin.samples);
  return bins;
}

}  // namespace sala::tasks
