#include "eval/report/results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "sala/tasks/corpora.h"
#include "sala/tasks/ruler_scores.h"

namespace sala::eval {
namespace {

constexpr double kNormal95 = 1.959963984540054;  // 97.5 % point of the standard normal distribution

std::optional<double> mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

CellResult summarize_cell(const Cell& cell, std::vector<const SampleRecord*> records) {
  std::sort(records.begin(), records.end(), [](const auto* a, const auto* b) { return a->index < b->index; });
  CellResult result;
  result.cell = cell;
  std::vector<double> scores, recalls, reaches;
  std::vector<std::string_view> answers;
  int64_t tokens = 0;
  for (const SampleRecord* record : records) {
    scores.push_back(record->score);
    answers.push_back(record->answer);
    if (record->selection && record->selection->recall) recalls.push_back(*record->selection->recall);
    if (record->selection && record->selection->reached) reaches.push_back(*record->selection->reached);
    if (cell.length > 0)
      result.mean_fill += static_cast<double>(record->effective_tokens()) / static_cast<double>(cell.length);
    result.seconds += record->timing.engine_seconds();
    tokens += record->prompt_tokens + static_cast<int64_t>(record->answer_ids.size());
  }
  const auto count = static_cast<double>(records.size());
  result.score = *mean_of(scores);
  result.nulls = tasks::count_nulls(answers);
  result.mean_fill /= count;
  if (records.size() > 1) {
    double squares = 0;
    for (const double score : scores) squares += (score - result.score) * (score - result.score);
    result.standard_error = std::sqrt(squares / (count - 1) / count);
  }
  result.interval = wilson_interval(result.score, static_cast<int64_t>(records.size()));
  result.recall = mean_of(recalls);
  result.reached = mean_of(reaches);
  result.tokens_per_second = result.seconds > 0 ? static_cast<double>(tokens) / result.seconds : 0;
  result.records = std::move(records);
  return result;
}

std::vector<GroupResult> summarize_groups(const std::vector<CellResult>& cells) {
  std::vector<std::pair<std::string, int64_t>> keys;  // in the order of first appearance
  std::map<std::pair<std::string, int64_t>, std::vector<const CellResult*>> members;
  for (const CellResult& cell : cells) {
    const std::pair<std::string, int64_t> key(cell.cell.task->group(), cell.cell.length);
    if (members[key].empty()) keys.push_back(key);
    members[key].push_back(&cell);
  }
  std::vector<GroupResult> groups;
  for (const auto& key : keys) {
    const std::vector<const CellResult*>& tasks = members[key];
    if (tasks.size() < 2) continue;
    GroupResult group;
    group.group = key.first;
    group.length = key.second;
    group.tasks_run = static_cast<int64_t>(tasks.size());
    for (const tasks::Task* task : tasks::all_tasks()) group.tasks_total += task->group() == key.first ? 1 : 0;
    group.tasks_total = std::max(group.tasks_total, group.tasks_run);  // tasks from outside the registry
    std::vector<double> means;
    std::vector<Interval> intervals;
    for (const CellResult* task : tasks) {
      means.push_back(task->score);
      intervals.push_back(task->interval);
    }
    group.score = *mean_of(means);
    group.interval = mean_interval(means, intervals);
    groups.push_back(group);
  }
  return groups;
}

}  // namespace

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

std::string GroupResult::label() const {
  return tasks_run == tasks_total ? fmt::format("{} ({} tasks)", group, tasks_run)
                                  : fmt::format("{} ({} of {} tasks)", group, tasks_run, tasks_total);
}

RunResults summarize(const std::vector<Cell>& cells, const std::vector<SampleRecord>& records) {
  std::map<std::pair<std::string, int64_t>, std::vector<const SampleRecord*>> of_cell;
  for (const SampleRecord& record : records) of_cell[{record.task, record.length}].push_back(&record);
  RunResults results;
  std::vector<std::string> incomplete;
  for (const Cell& cell : cells) {
    auto& found = of_cell[{std::string(cell.task->name()), cell.length}];
    if (found.size() < cell.samples.size())
      incomplete.push_back(fmt::format("{} ({} of {})", cell.name(), found.size(), cell.samples.size()));
    if (!found.empty()) results.cells.push_back(summarize_cell(cell, std::move(found)));
  }
  results.groups = summarize_groups(results.cells);
  results.aggregates = aggregate(results.cells);
  if (!incomplete.empty()) results.remarks.push_back(fmt::format("Incomplete: {}.", fmt::join(incomplete, ", ")));
  return results;
}

RunResults summarize(const RunPlan& plan, const std::vector<SampleRecord>& records) {
  RunResults results = summarize(plan.cells, records);
  if (plan.mode == tasks::Mode::kUpstream) results.remarks.push_back("Samples in mode upstream.");
  if (plan.corpora != nullptr) {
    std::vector<std::string> files;
    for (const tasks::CorpusFile& file : plan.corpora->files)
      files.push_back(fmt::format("{} (sha256 {})", file.role, file.sha256.substr(0, 16)));
    results.remarks.push_back(fmt::format("Made from the user's files: {}.", fmt::join(files, ", ")));
  }
  return results;
}

}  // namespace sala::eval
