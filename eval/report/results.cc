#include "eval/report/results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "sala/tasks/corpora.h"

namespace sala::eval {
namespace {

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
    group.score = std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(means.size());
    group.interval = mean_interval(means, intervals);
    groups.push_back(group);
  }
  return groups;
}

}  // namespace

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
