#include "tasks/nolima/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sala/core/error.h"
#include "tasks/text/unicode.h"

namespace sala::tasks {
namespace {

constexpr double kThresholdOfBase = 0.85, kHalf = 0.5;

struct Mean {
  double sum = 0;
  int64_t count = 0;
  void add(double x) { sum += x, ++count; }
  double value() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
};

}  // namespace

std::string_view metric_name(NolimaMetric metric) {
  switch (metric) {
    case NolimaMetric::kExact:
      return "EM";
    case NolimaMetric::kContains:
      return "contains";
    case NolimaMetric::kLastlineExact:
      return "lastline_EM";
    case NolimaMetric::kLastlineContains:
      break;
  }
  return "lastline_contains";
}

double nolima_match(NolimaMetric metric, std::string_view response, const std::vector<std::string>& gold) {
  const bool last_line = metric == NolimaMetric::kLastlineExact || metric == NolimaMetric::kLastlineContains;
  const bool exact = metric == NolimaMetric::kExact || metric == NolimaMetric::kLastlineExact;
  std::string_view text = response;
  if (exact || last_line) text = strip_whitespace(text);
  if (last_line && text.rfind('\n') != std::string_view::npos) text.remove_prefix(text.rfind('\n') + 1);
  const auto matches = [&](const std::string& name) {
    return exact ? text == name : text.find(name) != std::string_view::npos;
  };
  return std::any_of(gold.begin(), gold.end(), matches) ? 1 : 0;
}

NolimaSummary summarize_nolima(const std::vector<NolimaTest>& tests, const std::vector<int64_t>& base_lengths) {
  std::map<int64_t, std::map<std::string, Mean>> by_length;
  for (const NolimaTest& test : tests) by_length[test.length][test.pair].add(test.score);
  std::map<std::string, double> best;  // of each pair, over the base lengths
  for (int64_t length : base_lengths) {
    const auto at = by_length.find(length);
    if (at == by_length.end()) continue;
    for (const auto& [pair, mean] : at->second) {
      const auto [known, fresh] = best.emplace(pair, mean.value());
      if (!fresh) known->second = std::max(known->second, mean.value());
    }
  }
  if (best.empty())
    throw Error(ErrorCode::kUsage, "nolima: no base score; run one of the lengths {} too", fmt::join(base_lengths, ", "));
  Mean base;
  for (const auto& [pair, score] : best) base.add(score);
  NolimaSummary summary;
  summary.base = base.value();
  summary.threshold = kThresholdOfBase * summary.base;
  const int64_t last_base = *std::max_element(base_lengths.begin(), base_lengths.end());
  for (const auto& [length, pairs] : by_length) {
    Mean score;
    NolimaLength row;
    for (const auto& [pair, mean] : pairs) {
      score.add(mean.value());
      row.tests += mean.count;
    }
    row.length = length;
    row.pairs = score.count;
    row.score = score.value();
    row.normalised = summary.base > 0 ? row.score / summary.base : 0;
    row.below_half = row.score < kHalf * summary.base;
    if (length >= last_base && row.score > summary.threshold) summary.effective_length = length;
    summary.lengths.push_back(row);
  }
  return summary;
}

}  // namespace sala::tasks
