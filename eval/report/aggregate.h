// What a benchmark reports beyond the mean of each task: RULER's effective length, MRCR's confusion, ...
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/report/table.h"
#include "eval/spec/cell_result.h"

namespace sala::eval {

// Everything of one group. Scores in percent, rounded as the benchmark does.
struct Aggregate {
  std::string group, title;          // "ruler", "RULER"
  Table overview;                    // printed below the table of tasks
  std::vector<std::string> remarks;  // below the overview; full sentences
  std::vector<Table> details;        // in Markdown only
  nlohmann::ordered_json json;       // summary.json: sala.aggregates.<group>
};

// Cells of one group, in the order of running; at least one.
using GroupCells = std::vector<const CellResult*>;

// One function for each way to sum up a group, and one line for it in aggregate.cc. Tasks say which (TaskTraits::aggregate).
Aggregate aggregate_ruler(const GroupCells& cells);
Aggregate aggregate_mrcr(const GroupCells& cells);
Aggregate aggregate_nolima(const GroupCells& cells);

// Groups in the order of their first cell; those whose tasks ask for no aggregate are left out. Throws Error{kInternal} for
// one that does not exist.
std::vector<Aggregate> aggregate(const std::vector<CellResult>& cells);

// Shared by the aggregates.
// "131072", "-" for 0: a length that nobody knows.
std::string length_text(int64_t length);
// Mean of the diagnostics of that name over the samples that have it; NaN when none has.
double mean_diagnostic(const CellResult& cell, const std::string& name);

}  // namespace sala::eval
