// The cells of a sweep's file: its combinations as plans of `run`, taken apart.
#pragma once

#include <string>
#include <vector>

#include "eval/study/serving_cost.h"
#include "eval/sweep/cell.h"
#include "eval/sweep/sweep_file.h"
#include "sala/model/session.h"

namespace sala::eval {

// The flags of `run` that say what is computed.
std::vector<AxisFlag> axis_flags();

struct SweepCells {
  std::vector<SweepCell> cells;    // in the order of the file, each once
  std::vector<PrefillWork> works;  // of reading a prompt of each
  std::vector<std::string> notes;  // sentences for the user
  SessionOptions options;          // of a model that can run
};

// What cannot run is a cell with its refusal: a model without weights, a switch that it has not. Throws Error{kUsage} for
// values that mean nothing: a task, length or number that does not exist. `threads`: of each process.
SweepCells cells_of_sweep(const SweepFile& file, int threads);

}  // namespace sala::eval
