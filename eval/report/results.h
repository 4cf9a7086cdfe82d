// Scores of all cells and groups of a run, with intervals.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/report/aggregate.h"
#include "eval/spec/cell_result.h"
#include "eval/spec/plan.h"

namespace sala::eval {

struct GroupResult {
  std::string group;  // "ruler"
  int64_t length = 0;
  int64_t tasks_run = 0, tasks_total = 0;
  double score = 0;  // unweighted mean over the tasks
  Interval interval;
  std::string label() const;  // "ruler (8 of 13 tasks)"
};

struct RunResults {
  std::vector<CellResult> cells;    // cells that have at least one sample, in the plan's order
  std::vector<GroupResult> groups;  // of groups with two tasks or more at a length
  std::vector<Aggregate> aggregates;
  std::vector<std::string> remarks;  // incomplete cells, ...; full sentences
};

RunResults summarize(const std::vector<Cell>& cells, const std::vector<SampleRecord>& records);
// The same, with remarks on the mode and the user's files.
RunResults summarize(const RunPlan& plan, const std::vector<SampleRecord>& records);

}  // namespace sala::eval
