// A statistic: how long the vector is that the running mean shows for each query of the answer.
#include <cmath>
#include <map>

#include "eval/observe/statistic.h"
#include "tests/extension/toys.h"

namespace sala::toys {
namespace {

class Strength final : public eval::Statistic {
 public:
  explicit Strength(const eval::Watch& watch) : watch_(watch) {}
  std::vector<std::string> sites() const override { return {"mean"}; }
  bool wants(std::string_view, int, int64_t position) const override { return watch_.probed(position); }

  void on_tap(const Tap& tap) override {
    const auto rows = tap["mean"].as<float, 2>();
    for (int64_t t = 0; t < rows.extent[0]; ++t) {
      if (!watch_.probed(tap.position + t)) continue;  // another statistic's
      double squares = 0;
      for (int64_t i = 0; i < rows.extent[1]; ++i) squares += static_cast<double>(rows[t][i]) * rows[t][i];
      positions_[tap.layer].push_back(tap.position + t);
      norms_[tap.layer].push_back(std::sqrt(squares));
    }
  }

  eval::Findings take() override {
    eval::Findings found;
    if (positions_.empty()) return found;
    const eval::Axis probes = eval::probe_axis("strength", positions_, found.arrays);
    double sum = 0, count = 0;
    for (const auto& [layer, norms] : norms_) {
      for (const double norm : norms) sum += norm;
      count += static_cast<double>(norms.size());
      found.arrays.arrays.push_back(eval::named_array<double>(fmt::format("strength/layer_{:02}/norm", layer), {probes},
                                                              norms, {"1", "length of the mean that the query reads"}));
    }
    found.figures = {{"strength", sum / count}};
    return found;
  }

 private:
  eval::Watch watch_;
  std::map<int, std::vector<int64_t>> positions_;
  std::map<int, std::vector<double>> norms_;
};

}  // namespace

void register_strength() {
  eval::register_statistic(
      {"strength",
       "length of what a running mean shows",
       [](const eval::Watch& watch) { return std::unique_ptr<eval::Statistic>(std::make_unique<Strength>(watch)); },
       {{"strength", "mean_strength", "mean length of what the running mean shows"}}});
}

}  // namespace sala::toys
