// cells.csv and cells.h5, the same table (docs/sweeps.md).
#pragma once

#include <string>
#include <vector>

#include "eval/report/table.h"
#include "eval/sweep/cell.h"
#include "eval/sweep/cell_state.h"
#include "eval/sweep/folder.h"

namespace sala::eval {

// One row a cell; states[i] is that of cells[i]. All are texts, numbers with all their digits.
Table cells_table(const std::vector<SweepCell>& cells, const std::vector<CellState>& states);

// A new HDF5 file with an array for each column along the dimension `row`: numbers where all texts are numbers or empty
// (then NaN), as who reads the CSV would take them; else texts, and identifiers always.
void write_cells_h5(const Table& table, const std::string& path);

// Makes both files of what is in the folder. Returns the states of all_cells().
std::vector<CellState> write_table(const SweepFolder& folder, const std::vector<SweepCell>& cells);

}  // namespace sala::eval
