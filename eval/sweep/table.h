// cells.csv (docs/sweeps.md).
#pragma once

#include <string>
#include <vector>

#include "eval/sweep/cell.h"
#include "eval/sweep/cell_state.h"
#include "eval/sweep/folder.h"

namespace sala::eval {

// One row a cell; states[i] is that of cells[i].
std::string cells_csv(const std::vector<SweepCell>& cells, const std::vector<CellState>& states);

// Makes cells.csv of what is in the folder. Returns the states of all_cells().
std::vector<CellState> write_table(const SweepFolder& folder, const std::vector<SweepCell>& cells);

}  // namespace sala::eval
