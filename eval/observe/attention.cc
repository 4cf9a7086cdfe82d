#include "eval/observe/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "eval/observe/statistic.h"

namespace sala::eval {

AttentionFigures attention_figures(std::span<const int64_t> keys, std::span<const float> logits, const Ranges& evidence) {
  AttentionFigures figures;
  figures.keys = static_cast<double>(keys.size());
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
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

namespace {

// Evidence of a sample as ranges: sorted, overlapping ones joined.
Ranges joined(Ranges spans) {
  std::sort(spans.begin(), spans.end());
  Ranges ranges;
  for (const auto& [begin, end] : spans)
    if (!ranges.empty() && begin <= ranges.back().second)
      ranges.back().second = std::max(ranges.back().second, end);
    else
      ranges.emplace_back(begin, end);
  return ranges;
}

// What is stored of a head, by name.
struct Stored {
  const char *name, *units;
  double AttentionFigures::*value;
};
constexpr Stored kStored[] = {{"keys", "tokens", &AttentionFigures::keys},
                              {"sink_mass", "1", &AttentionFigures::sink_mass},
                              {"start_mass", "1", &AttentionFigures::start_mass},
                              {"evidence_mass", "1", &AttentionFigures::evidence_mass},
                              {"evidence_logit", "1", &AttentionFigures::evidence_logit},
                              {"background_lse", "1", &AttentionFigures::background_lse},
                              {"background_mean", "1", &AttentionFigures::background_mean},
                              {"background_std", "1", &AttentionFigures::background_std},
                              {"entropy", "nats", &AttentionFigures::entropy}};

class Attention final : public Statistic {
 public:
  explicit Attention(const Watch& watch) : watch_(watch), evidence_(joined(watch.evidence)) {}
  std::vector<std::string> sites() const override { return {std::string(site::kAttention)}; }
  bool wants(std::string_view, int, int64_t position) const override { return watch_.probed(position); }
  void on_tap(const Tap& tap) override {
    if (!watch_.probed(tap.position)) return;
    Layer& layer = layers_[tap.layer];
    const auto keys = tap["keys"].as<int64_t, 1>();
    const auto logits = tap["logits"].as<float, 1>();
    const int64_t head = tap["head"].number();
    layer.heads = std::max(layer.heads, head + 1);
    if (head == 0) positions_[tap.layer].push_back(tap.position);
    const auto n = static_cast<std::size_t>(keys.extent[0]);
    layer.figures.push_back(attention_figures({keys.data, n}, {logits.data, n}, evidence_));
  }
  Findings take() override;

 private:
  struct Layer {
    int64_t heads = 0;
    std::vector<AttentionFigures> figures;  // [P, heads]
  };
  const Watch watch_;
  const Ranges evidence_;
  std::map<int, Layer> layers_;
  std::map<int, std::vector<int64_t>> positions_;  // [P] of each layer
};

Findings Attention::take() {
  Findings found;
  if (layers_.empty()) return found;
  const Axis probe = probe_axis("attention", positions_, found.arrays);
  found.arrays.attributes.push_back({"attention", "start_tokens", kStartTokens});
  for (const auto& [index, layer] : layers_) {
    const std::string group = fmt::format("attention/layer_{:02}", index);
    found.arrays.attributes.push_back({group, "layer", int64_t{index}});
    for (const Stored& stored : kStored) {
      std::vector<double> values;
      for (const AttentionFigures& figures : layer.figures) values.push_back(figures.*stored.value);
      found.arrays.arrays.push_back(named_array(fmt::format("{}/{}", group, stored.name),
                                                {probe, {group + "/head", layer.heads}}, values, {.units = stored.units}));
    }
  }
  return found;
}

}  // namespace

StatisticKind attention_statistic() {
  return {"attention", "how softmax layers spread the attention of the answer's queries",
          [](const Watch& watch) -> std::unique_ptr<Statistic> { return std::make_unique<Attention>(watch); }};
}

}  // namespace sala::eval
