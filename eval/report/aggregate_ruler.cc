// RULER (spec tasks 1.10): means with their bootstrap intervals, effective length, weighted averages, score by depth.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "eval/report/aggregate.h"
#include "eval/util/columns.h"
#include "sala/tasks/ruler_scores.h"
#include "tasks/text/match.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

// A sample of a task with more evidence than this is read all over (cwe, fwe): depth says nothing about it.
constexpr std::size_t kFewPlaces = 16;

std::vector<double> scores_of(const CellResult& cell) {
  std::vector<double> scores;
  for (const SampleRecord* record : cell.records) scores.push_back(record->score);
  return scores;
}

// One pair for each evidence span. Where the span says one of the answers, the pair's score is whether that answer was
// given; else it is the sample's.
struct DepthPairs {
  std::vector<double> depths, scores;
  void add(const CellResult& cell) {
    for (const SampleRecord* record : cell.records) {
      if (record->evidence.size() > kFewPlaces) continue;
      for (const tasks::Evidence& span : record->evidence) {
        const auto& expected = record->expected;
        const bool asked = expected.size() > 1 &&
                           std::find(expected.begin(), expected.end(), span.value) != expected.end() &&
                           !cell.cell.task->traits().any_answer_counts;
        depths.push_back(std::clamp(span.depth, 0.0, 1.0));
        scores.push_back(asked ? tasks::string_match_all(record->answer, {span.value}) : record->score);
      }
    }
  }
  std::array<tasks::DepthBin, 10> bins() const { return tasks::score_by_depth(depths, scores); }
};

Json depth_json(const std::array<tasks::DepthBin, 10>& bins) {
  Json list = Json::array();
  for (const tasks::DepthBin& bin : bins)
    list.push_back({{"places", bin.samples}, {"score", bin.samples > 0 ? Json(bin.score) : Json(nullptr)}});
  return list;
}

std::string mean_label(std::size_t tasks, std::size_t total) {
  return tasks == total ? fmt::format("mean of {}", total) : fmt::format("mean of {} of {}", tasks, total);
}

struct Length {
  std::vector<const CellResult*> cells;
  std::vector<double> task_scores;
  double mean = 0;
  std::optional<tasks::Interval> interval;
};

// None where every task has one sample: there is nothing to draw again.
std::optional<tasks::Interval> bootstrap_of(const std::vector<std::vector<double>>& samples) {
  if (std::all_of(samples.begin(), samples.end(), [](const auto& task) { return task.size() < 2; })) return std::nullopt;
  return tasks::bootstrap_interval(samples);
}

Value bootstrap_value(const std::optional<tasks::Interval>& interval) {
  return interval ? range({interval->low, interval->high}) : Value{};
}

Json bootstrap_json(const std::optional<tasks::Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json(nullptr);
}

std::map<int64_t, Length> means_by_length(const GroupCells& cells) {
  std::map<int64_t, Length> lengths;
  for (const CellResult* cell : cells) lengths[cell->cell.length].cells.push_back(cell);
  for (auto& [length, at] : lengths) {
    std::vector<std::vector<double>> samples;
    for (const CellResult* cell : at.cells) {
      samples.push_back(scores_of(*cell));
      at.task_scores.push_back(tasks::ruler_task_score(samples.back()));
    }
    at.mean = tasks::ruler_mean(at.task_scores);
    at.interval = bootstrap_of(samples);
  }
  return lengths;
}

// Effective length and averages, over the known lengths that have every task which any length has: means of different
// tasks are not compared.
void add_curve(const std::map<int64_t, Length>& lengths, std::size_t tasks, std::size_t total, Aggregate& made) {
  std::map<int64_t, double> curve;
  std::vector<double> scores;
  for (const auto& [length, at] : lengths) {
    if (length == 0 || at.cells.size() != tasks) continue;
    curve[length] = at.mean;
    scores.push_back(at.mean);
  }
  made.json["threshold"] = tasks::kRulerThreshold;
  made.json["effective_length"] = nullptr;
  if (curve.empty()) return;
  const std::optional<int64_t> effective = tasks::effective_length(curve);
  if (effective) made.json["effective_length"] = *effective;
  std::string sentence = fmt::format("Effective length: {} (the longest of {} with a {} above {}).",
                                     effective ? with_commas(*effective) : "none", curve.size(), mean_label(tasks, total),
                                     tasks::kRulerThreshold);
  if (scores.size() > 1) {
    const tasks::RulerAverages averages = tasks::ruler_averages(scores);
    made.json["averages"] = {{"lengths", scores.size()},
                             {"mean", averages.mean},
                             {"weighted_increasing", averages.increasing},
                             {"weighted_decreasing", averages.decreasing}};
    sentence += fmt::format(" Over {} lengths: Avg {:.2f}, wAvg (inc) {:.2f}, wAvg (dec) {:.2f}.", scores.size(),
                            averages.mean, averages.increasing, averages.decreasing);
  }
  if (tasks > 1) made.remarks.push_back(sentence);
}

void add_tasks(const GroupCells& cells, Aggregate& made) {
  Table table{"each task", {"task", "tokens", "score", "bootstrap 95%", "nulls"}, {}};
  Json list = Json::array();
  for (const CellResult* cell : cells) {
    const std::vector<double> scores = scores_of(*cell);
    const std::optional<tasks::Interval> interval = bootstrap_of({scores});
    const std::string name(cell->cell.task->name()), nulls = cell->nulls_text();
    const double score = tasks::ruler_task_score(scores);
    table.rows.push_back({text(name), tokens(cell->cell.length), number(score, 2), bootstrap_value(interval), text(nulls)});
    list.push_back({{"task", name},
                    {"length", cell->cell.length},
                    {"score", score},
                    {"bootstrap", bootstrap_json(interval)},
                    {"nulls", nulls}});
    // What a port's metric gives for the same answers, where it differs (eval/score).
    if (const double port = mean_diagnostic(*cell, "lm_eval_score"); port == port)
      list.back()["lm_eval_score"] = tasks::round_to_cents(100 * port);
  }
  made.json["tasks"] = list;
  made.details.push_back(std::move(table));
}

void add_depths(const std::map<int64_t, Length>& lengths, Aggregate& made) {
  Table table{"Score by depth of the evidence, in tenths of the prompt; tasks with few places only", {"tokens"}, {}};
  for (int tenth = 0; tenth < 10; ++tenth) table.head.push_back(fmt::format("{}-{}%", 10 * tenth, 10 * tenth + 10));
  Json by_task = Json::array(), by_length = Json::array();
  for (const auto& [length, at] : lengths) {
    DepthPairs all;
    for (const CellResult* cell : at.cells) {
      DepthPairs own;
      own.add(*cell);
      all.add(*cell);
      if (!own.depths.empty())
        by_task.push_back({{"task", cell->cell.task->name()}, {"length", length}, {"tenths", depth_json(own.bins())}});
    }
    if (all.depths.empty()) continue;
    const auto bins = all.bins();
    by_length.push_back({{"length", length}, {"tenths", depth_json(bins)}});
    std::vector<Value> row = {tokens(length)};
    for (const tasks::DepthBin& bin : bins) row.push_back(bin.samples > 0 ? number(bin.score, 1) : Value{});
    table.rows.push_back(std::move(row));
  }
  made.json["depth"] = {{"lengths", by_length}, {"tasks", by_task}};
  if (!table.empty()) made.details.push_back(std::move(table));
}

}  // namespace

Aggregate aggregate_ruler(const GroupCells& cells) {
  Aggregate made;
  made.group = cells[0]->cell.task->group();
  made.title = "RULER";
  made.json["unit"] = "percent";
  std::set<std::string_view> tasks;
  std::size_t total = 0;
  for (const CellResult* cell : cells) tasks.insert(cell->cell.task->name());
  for (const tasks::Task* task : tasks::all_tasks()) total += task->group() == made.group ? 1 : 0;
  const std::map<int64_t, Length> lengths = means_by_length(cells);
  made.overview.head = {"RULER", "tokens", "score", "bootstrap 95%"};
  Json means = Json::array();
  for (const auto& [length, at] : lengths) {
    const std::string label = mean_label(at.cells.size(), total);
    made.overview.rows.push_back({text(label), tokens(length), number(at.mean, 2), bootstrap_value(at.interval)});
    means.push_back({{"length", length},
                     {"tasks", at.cells.size()},
                     {"label", label},
                     {"score", at.mean},
                     {"bootstrap", bootstrap_json(at.interval)}});
  }
  made.json["means"] = means;
  if (tasks.size() == 1) made.overview.rows.clear();  // the mean of one task is that task
  add_curve(lengths, tasks.size(), total, made);
  add_tasks(cells, made);
  add_depths(lengths, made);
  return made;
}

}  // namespace sala::eval
