#include "eval/study/halo.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "sala/core/error.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

using Metrics = std::map<std::string, double>;

bool starts(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

// The tool's logs list the commonsense tasks a second time among those of retrieval.
bool is_recall(const std::string& metric) {
  return starts(metric, "retrieval/") && !starts(metric, "retrieval/hellaswag") && !starts(metric, "retrieval/arc_");
}

bool is_commonsense(const std::string& metric) {
  const std::string end = "/acc_norm";
  return starts(metric, "commonsense/") && metric.size() > end.size() &&
         metric.compare(metric.size() - end.size(), end.size(), end) == 0;
}

// Mean of the metrics that fit, else the one of that name.
std::optional<double> figure(const Metrics& metrics, bool (*fits)(const std::string&), const char* average) {
  double sum = 0;
  int64_t count = 0;
  for (const auto& [name, value] : metrics)
    if (fits(name)) sum += value, ++count;
  if (count > 0) return sum / static_cast<double>(count);
  const auto found = metrics.find(average);
  return found == metrics.end() ? std::nullopt : std::optional(found->second);
}

HaloModel model_of(const std::string& name, const std::map<std::string, Metrics>& rows, const CsvTable& table) {
  HaloModel model;
  model.name = name;
  model.original_recall = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [layer, metrics] : rows) {
    const auto recall = figure(metrics, is_recall, "retrieval_avg");
    const auto commonsense = figure(metrics, is_commonsense, "commonsense_avg");
    if (layer == "original") {
      if (recall) model.original_recall = *recall;
      continue;
    }
    if (layer.empty() || layer.size() > 5 || layer.find_first_not_of("0123456789") != std::string::npos)
      throw Error(ErrorCode::kFormat, "{}: layer '{}' of {} is neither `original` nor an index", table.path, layer, name);
    if (!recall || !commonsense)
      throw Error(ErrorCode::kFormat, "{}: layer {} of {} has no {}", table.path, layer, name,
                  recall ? "commonsense" : "retrieval");
    HaloLayer made;
    made.layer = std::stoll(layer);
    made.recall = *recall;
    made.commonsense = *commonsense;
    if (const auto shipped = metrics.find("attention_in_shipped_config"); shipped != metrics.end()) {
      model.has_shipped = true;
      made.shipped = shipped->second != 0;
    }
    model.layers.push_back(made);
  }
  std::sort(model.layers.begin(), model.layers.end(), [](const auto& a, const auto& b) { return a.layer < b.layer; });
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    if (model.layers[i].layer != static_cast<int64_t>(i))
      throw Error(ErrorCode::kFormat, "{}: {} has no layer {}", table.path, name, i);
  return model;
}

}  // namespace

std::vector<HaloModel> read_halo_sweep(const CsvTable& table) {
  std::vector<std::string> names;
  std::map<std::string, std::map<std::string, Metrics>> models;
  for (const auto& row : table.rows) {
    const std::string& name = table.of(row, "model");
    if (models.count(name) == 0) names.push_back(name);
    models[name][table.of(row, "layer")][table.of(row, "metric")] = table.number(row, "value");
  }
  std::vector<HaloModel> made;
  for (const std::string& name : names) made.push_back(model_of(name, models[name], table));
  return made;
}

HaloModel read_halo_conversion(const std::string& path) {
  fields::Json json;
  if (text::read_json(read_file(path), json)) throw Error(ErrorCode::kFormat, "{} is no JSON", path);
  HaloModel model;
  try {
    const auto pair = [](const fields::Json& value) {  // commonsense, recall
      if (!value.is_array() || value.size() != 2 || !value[0].is_number() || !value[1].is_number())
        throw Error(ErrorCode::kFormat, "{} is no pair of commonsense and recall", fields::shown(value));
      return std::pair(value[0].get<double>(), value[1].get<double>());
    };
    model.original_recall = pair(fields::field(json, "original")).second;
    for (const fields::Json& replaced : fields::list(json, "replaced")) {
      HaloLayer layer;
      layer.layer = static_cast<int64_t>(model.layers.size());
      std::tie(layer.commonsense, layer.recall) = pair(replaced);
      model.layers.push_back(layer);
    }
    for (const fields::Json& kept : fields::list(json, "kept")) {
      if (!kept.is_number_integer() || kept < 0 || kept >= model.layers.size())
        throw Error(ErrorCode::kFormat, "field 'kept' has {}, there are {} layers", fields::shown(kept),
                    model.layers.size());
      model.layers[kept.get<std::size_t>()].shipped = true;
    }
  } catch (const Error& problem) {
    throw Error(problem.code(), "{}: {}", path, problem.what());
  }
  model.has_shipped = true;
  model.shipped_by = "The conversion kept";
  return model;
}

void select_layers(HaloModel& model, HaloRule rule, int64_t keep, bool ends) {
  std::vector<HaloLayer>& layers = model.layers;
  const auto count = static_cast<int64_t>(layers.size());
  if (keep == 0) keep = count / 4;
  if (keep < 1 || keep > count)
    throw Error(ErrorCode::kUsage, "{} has {} layers, {} of them cannot be kept; choose --keep 1 to {}", model.name, count,
                keep, count);
  if (ends && keep < std::min<int64_t>(count, 2))
    throw Error(ErrorCode::kUsage, "the first and the last layer of {} are two, --keep {} is fewer", model.name, keep);
  if (rule == HaloRule::kRecall && std::isnan(model.original_recall))
    throw Error(ErrorCode::kUsage, "the rule jet-nemotron compares with the original model, and the sweep of {} has none",
                model.name);
  double best_recall = 0, best_commonsense = 0;
  for (const HaloLayer& layer : layers) {
    best_recall = std::max(best_recall, layer.recall);
    best_commonsense = std::max(best_commonsense, layer.commonsense);
  }
  for (HaloLayer& layer : layers)
    layer.score = rule == HaloRule::kRecall
                      ? model.original_recall - layer.recall
                      : std::min(50.0, (best_recall - layer.recall) / (best_commonsense - layer.commonsense + 1e-10));
  std::vector<std::size_t> order(layers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto end = [&](std::size_t i) { return ends && (i == 0 || i + 1 == layers.size()); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return end(a) != end(b) ? end(a) : layers[a].score > layers[b].score;
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    layers[order[i]].rank = static_cast<int64_t>(i) + 1;
    layers[order[i]].kept = static_cast<int64_t>(i) < keep;
  }
}

}  // namespace sala::eval
