#include "eval/observe/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sala::eval {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

float median_of(std::vector<float>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

AttentionFigures attention_figures(std::span<const int64_t> keys, std::span<const float> logits, const Ranges& evidence) {
  AttentionFigures figures;
  figures.keys = static_cast<double>(keys.size());
  figures.evidence_logit = figures.background_lse = figures.background_mean = figures.background_std = kNaN;
  if (keys.empty()) return figures;
  const double largest = *std::max_element(logits.begin(), logits.end());
  double total = 0, background = 0, sum = 0, squares = 0, weighted = 0;
  int64_t others = 0;
  auto range = evidence.begin();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    while (range != evidence.end() && range->second <= keys[i]) ++range;
    const double above = static_cast<double>(logits[i]) - largest, weight = std::exp(above);
    total += weight;
    weighted += weight * above;
    if (keys[i] == 0) figures.sink_mass += weight;
    if (keys[i] < kStartTokens) figures.start_mass += weight;
    if (range != evidence.end() && range->first <= keys[i]) {
      figures.evidence_mass += weight;
      const double logit = logits[i];
      if (!(figures.evidence_logit >= logit)) figures.evidence_logit = logit;
      continue;
    }
    background += weight;
    sum += above;
    squares += above * above;
    ++others;
  }
  figures.sink_mass /= total;
  figures.start_mass /= total;
  figures.evidence_mass /= total;
  figures.entropy = std::log(total) - weighted / total;
  if (others == 0) return figures;
  const double n = static_cast<double>(others), mean = sum / n;
  figures.background_lse = largest + std::log(background);
  figures.background_mean = largest + mean;
  figures.background_std = std::sqrt(std::max(0.0, squares / n - mean * mean));
  return figures;
}

void LayerAttention::add(const AttentionFigures& figures) {
  keys.push_back(figures.keys);
  sink_mass.push_back(figures.sink_mass);
  start_mass.push_back(figures.start_mass);
  evidence_mass.push_back(figures.evidence_mass);
  evidence_logit.push_back(figures.evidence_logit);
  background_lse.push_back(figures.background_lse);
  background_mean.push_back(figures.background_mean);
  background_std.push_back(figures.background_std);
  entropy.push_back(figures.entropy);
}

void HiddenFigures::add_row(int64_t position, TensorView<const float, 1> row, bool for_median) {
  for (int64_t i = 0; i < row.extent[0]; ++i)
    if (const double value = std::fabs(static_cast<double>(row[i])); value > figures_.largest) {
      figures_.largest = value;
      figures_.position = position;
      figures_.channel = i;
    }
  if (!for_median) return;
  std::vector<float> sizes;
  for (int64_t i = 0; i < row.extent[0]; ++i) sizes.push_back(std::fabs(row[i]));
  medians_.push_back(median_of(sizes));
}

LayerHidden HiddenFigures::take(int64_t layer) {
  figures_.layer = layer;
  figures_.median = medians_.empty() ? kNaN : median_of(medians_);
  return figures_;
}

}  // namespace sala::eval
