#include "eval/study/paper_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::eval {
namespace {

constexpr int64_t kAnswerTokens = 1024;  // "1K output"

struct FigureCell {
  std::string gpu, weights, metric, context, model;
  int64_t tokens = 0;
  double seconds = 0;
  bool out_of_memory = false;
  WeightFormat format() const { return weights == "quantized" ? WeightFormat::kInt4 : WeightFormat::kBf16; }
  bool prefill() const { return metric == "ttft"; }
  bool held_out() const { return out_of_memory || tokens > kCalibrationTokens; }
  const ModelConfig& config() const {
    static const ModelConfig sala = released_config(), qwen3 = qwen3_8b_config();
    return model.find("SALA") != std::string::npos ? sala : qwen3;
  }
};

std::vector<FigureCell> cells_of(const CsvTable& table) {
  std::vector<FigureCell> cells;
  for (const auto& row : table.rows) {
    FigureCell cell{table.of(row, "gpu"), table.of(row, "weights"), table.of(row, "metric"), table.of(row, "context"),
                    table.of(row, "model")};
    cell.tokens = tasks::parse_lengths(cell.context.substr(0, cell.context.find('K')) + "k").front();
    cell.out_of_memory = table.of(row, "oom") == "1";
    if (!cell.out_of_memory) cell.seconds = table.number(row, "seconds");
    cells.push_back(cell);
  }
  return cells;
}

// A prefill and the whole of one model, format and length are one measurement.
std::vector<ServingTime> calibration_times(const std::vector<FigureCell>& cells) {
  std::map<std::tuple<std::string, std::string, int64_t>, ServingTime> times;
  for (const FigureCell& cell : cells) {
    if (cell.held_out()) continue;
    ServingTime& time = times[{cell.model, cell.weights, cell.tokens}];
    time.config = cell.config();
    time.format = cell.format();
    time.tokens = cell.tokens;
    (cell.prefill() ? time.prefill_seconds : time.decode_seconds) = cell.seconds;
  }
  std::vector<ServingTime> list;
  for (auto& [key, time] : times) {
    if (time.prefill_seconds <= 0 || time.decode_seconds <= time.prefill_seconds)
      throw Error(ErrorCode::kFormat, "{} at {} tokens lacks its prefill or its end to end", std::get<0>(key), time.tokens);
    time.decode_seconds = (time.decode_seconds - time.prefill_seconds) / static_cast<double>(kAnswerTokens);
    list.push_back(time);
  }
  return list;
}

double predicted(const FigureCell& cell, const DeviceRates& device) {
  double seconds = prefill_seconds(cell.config(), cell.format(), cell.tokens, device);
  if (!cell.prefill())
    seconds += static_cast<double>(kAnswerTokens) *
               decode_seconds(cell.config(), cell.format(), cell.tokens + kAnswerTokens / 2, device);
  return seconds;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

FigureFit fit_figure(const CsvTable& figure, DeviceRates device) {
  const std::vector<FigureCell> cells = cells_of(figure);
  FigureFit fit;
  calibrate(device, calibration_times(cells));
  fit.shown.table.head = {"gpu",           "weights",       "metric",  "context", "model",
                          "paper seconds", "model seconds", "error %", "cell",    "memory GB"};
  std::vector<double> held_out, known;
  fit.cells = static_cast<int64_t>(cells.size());
  for (const FigureCell& cell : cells) {
    const int64_t longest = cell.tokens + (cell.prefill() ? 0 : kAnswerTokens);
    const bool room = fits(cell.config(), cell.format(), longest, device);
    const double seconds = predicted(cell, device), error = seconds / cell.seconds - 1;
    fit.ran_out += cell.out_of_memory ? 1 : 0;
    fit.memory_right += room != cell.out_of_memory ? 1 : 0;
    if (!cell.out_of_memory && room) (cell.held_out() ? held_out : known).push_back(std::abs(error));
    const double memory = weight_bytes(cell.config(), cell.format()) + cache_bytes(cell.config(), longest);
    fit.shown.table.rows.push_back(
        {text(cell.gpu), text(cell.weights), text(cell.prefill() ? "first token" : "1K answered"), text(cell.context),
         text(cell.model), cell.out_of_memory ? text("OOM") : number(cell.seconds, 1),
         room ? number(seconds, 1) : text("OOM"), room && !cell.out_of_memory ? number(100 * error, 1) : Value{},
         text(cell.held_out() ? "held out" : "calibration"), number(memory / 1e9, 1)});
  }
  fit.median_held_out = median(held_out);
  fit.device = device;
  fit.shown.sentences = {
      fmt::format(
          "`paper seconds`: published by MiniCPM-SALA (arXiv 2602.11761). `model seconds`: the closed-form cost of the "
          "released shapes over four rates of {}, fitted to cells of at most 256K.",
          device.name),
      fmt::format("Rates: {:.0f} TFLOP/s for projections, FFN and dense attention; {:.0f} for scores of blocks; {:.1f} for "
                  "attention on selected blocks and recurrences; {:.2f} TB/s while decoding.",
                  device.dense / 1e12, device.selection / 1e12, device.sparse / 1e12, device.bandwidth / 1e12),
      fmt::format("Median error: {:.1f} % of {} held-out times (largest {:.1f} %), {:.1f} % of {} that were fitted (largest "
                  "{:.1f} %).",
                  100 * fit.median_held_out, held_out.size(),
                  held_out.empty() ? 0 : 100 * *std::max_element(held_out.begin(), held_out.end()), 100 * median(known),
                  known.size(), known.empty() ? 0 : 100 * *std::max_element(known.begin(), known.end())),
      fmt::format("Out of memory: {} of {} cells right, {} of which ran out, with {:.0f} % of {:.1f} GB for weights and "
                  "cache. {}",
                  fit.memory_right, fit.cells, fit.ran_out, 100 * device.usable, device.memory_bytes / 1e9, device.source),
      "What the model lacks: time that a layer takes whatever its size. It shows where few bytes are read for a token: "
      "quantised weights, and linear layers."};
  return fit;
}

}  // namespace sala::eval
