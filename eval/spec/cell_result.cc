#include "eval/spec/cell_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "sala/tasks/ruler_scores.h"

namespace sala::eval {
namespace {

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Means over the samples that have the figure, in the order of first appearance.
std::vector<std::pair<std::string, double>> mean_figures(const std::vector<const SampleRecord*>& records) {
  std::vector<std::pair<std::string, double>> means;
  std::map<std::string, std::vector<double>> values;
  for (const SampleRecord* record : records)
    for (const auto& [name, value] : record->figures) {
      if (values[name].empty()) means.emplace_back(name, 0);
      values[name].push_back(value);
    }
  for (auto& [name, mean] : means) mean = mean_of(values[name]);
  return means;
}

}  // namespace

CellResult summarize_cell(const Cell& cell, std::vector<const SampleRecord*> records) {
  std::sort(records.begin(), records.end(), [](const auto* a, const auto* b) { return a->index < b->index; });
  CellResult result;
  result.cell = cell;
  std::vector<double> scores;
  std::vector<std::string_view> answers;
  int64_t tokens = 0;
  for (const SampleRecord* record : records) {
    scores.push_back(record->score);
    answers.push_back(record->answer);
    if (cell.length > 0)
      result.mean_fill += static_cast<double>(record->effective_tokens()) / static_cast<double>(cell.length);
    result.seconds += record->timing.engine_seconds();
    tokens += record->prompt_tokens + static_cast<int64_t>(record->answer_ids.size());
  }
  const auto count = static_cast<double>(records.size());
  result.score = mean_of(scores);
  result.nulls = tasks::count_nulls(answers);
  result.mean_fill /= count;
  if (records.size() > 1) {
    double squares = 0;
    for (const double score : scores) squares += (score - result.score) * (score - result.score);
    result.standard_error = std::sqrt(squares / (count - 1) / count);
  }
  result.interval = wilson_interval(result.score, static_cast<int64_t>(records.size()));
  result.figures = mean_figures(records);
  result.tokens_per_second = result.seconds > 0 ? static_cast<double>(tokens) / result.seconds : 0;
  result.records = std::move(records);
  return result;
}

Interval wilson_interval(double mean, int64_t count) {
  const auto n = static_cast<double>(count);
  const double z2 = kNormal95 * kNormal95;
  const double centre = (mean + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 / (1 + z2 / n) * std::sqrt(mean * (1 - mean) / n + z2 / (4 * n * n));
  return {std::clamp(centre - half, 0.0, mean), std::clamp(centre + half, mean, 1.0)};  // rounding must not exclude the mean
}

Interval mean_interval(const std::vector<double>& means, const std::vector<Interval>& intervals) {
  double mean = 0, below = 0, above = 0;
  for (std::size_t i = 0; i < means.size(); ++i) {
    mean += means[i];
    below += (means[i] - intervals[i].low) * (means[i] - intervals[i].low);
    above += (intervals[i].high - means[i]) * (intervals[i].high - means[i]);
  }
  const auto n = static_cast<double>(means.size());
  return {std::max(0.0, mean / n - std::sqrt(below) / n), std::min(1.0, mean / n + std::sqrt(above) / n)};
}

std::string CellResult::nulls_text() const { return fmt::format("{}/{}", nulls, records.size()); }

std::optional<double> CellResult::figure(const std::string& name) const {
  for (const auto& [known, value] : figures)
    if (known == name) return value;
  return std::nullopt;
}

}  // namespace sala::eval
