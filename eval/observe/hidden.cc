// The largest hidden state behind every layer, and an ordinary one: how large activations grow.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "eval/observe/statistic.h"

namespace sala::eval {
namespace {

constexpr int64_t kMedianEveryToken = 64;  // of a sequence, every 64th token counts for the median

float median_of(std::vector<float>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct HiddenLayer {
  double largest = 0;  // max |h|
  int64_t position = -1, channel = -1;
  std::vector<float> medians;  // of |h| of the tokens that count

  void add(int64_t at, TensorView<const float, 1> row, bool for_median) {
    for (int64_t i = 0; i < row.extent[0]; ++i)
      if (const double value = std::fabs(static_cast<double>(row[i])); value > largest) {
        largest = value;
        position = at;
        channel = i;
      }
    if (!for_median) return;
    std::vector<float> sizes;
    for (int64_t i = 0; i < row.extent[0]; ++i) sizes.push_back(std::fabs(row[i]));
    medians.push_back(median_of(sizes));
  }
  double median() { return medians.empty() ? std::numeric_limits<double>::quiet_NaN() : median_of(medians); }
};

class Hidden final : public Statistic {
 public:
  explicit Hidden(const Watch& watch) : watch_(watch) {}
  std::vector<std::string> sites() const override { return {std::string(site::kHidden)}; }
  // Every token of every layer; of the last one only the probed queries, which are computed in any case.
  bool wants(std::string_view, int layer, int64_t position) const override {
    return layer + 1 < watch_.layers || watch_.probed(position);
  }
  void on_tap(const Tap& tap) override {
    const auto rows = tap["hidden"].as<float, 2>();
    for (int64_t t = 0; t < rows.extent[0]; ++t)
      if (const int64_t position = tap.position + t; wants(tap.site, tap.layer, position))
        layers_[tap.layer].add(position, rows[t], position % kMedianEveryToken == 0 || watch_.probed(position));
  }
  Findings take() override {
    std::vector<int64_t> index, position, channel;
    std::vector<double> largest, median;
    for (auto& [layer, of] : layers_) {
      index.push_back(layer);
      largest.push_back(of.largest);
      median.push_back(of.median());
      position.push_back(of.position);
      channel.push_back(of.channel);
    }
    if (index.empty()) return {};
    const std::vector<Axis> axes = {{"hidden/layer", static_cast<int64_t>(index.size())}};
    Findings found;
    found.arrays.arrays = {named_array("hidden/layer", axes, index, {.meaning = "-1 = embedding"}),
                           named_array("hidden/largest", axes, largest, {.units = "1"}),
                           named_array("hidden/median", axes, median, {.units = "1"}),
                           named_array("hidden/position", axes, position, {.units = "tokens"}),
                           named_array("hidden/channel", axes, channel, {.units = "1"})};
    return found;
  }

 private:
  const Watch watch_;
  std::map<int, HiddenLayer> layers_;
};

}  // namespace

StatisticKind hidden_statistic() {
  return {"hidden", "largest and ordinary hidden state behind every layer",
          [](const Watch& watch) -> std::unique_ptr<Statistic> { return std::make_unique<Hidden>(watch); }};
}

}  // namespace sala::eval
