// run.h5, schema kRunSchema (docs/file_formats.md).
#pragma once

#include <string>
#include <vector>

#include "eval/spec/cell_result.h"
#include "eval/spec/provenance.h"
#include "eval/store/directory.h"
#include "eval/store/h5.h"

namespace sala::eval {

// Everything here is made of the journal, as a new file beside its place and then renamed, so that a reader always finds a
// whole one. Everything that may differ between two runs of the same plan lies under /provenance. Throws Error{kIo}.

// While a run goes on each cell that was finished has a file of its own, DIR/cells/TASK@LENGTH.h5, and run.h5 links them: a
// finished cell costs the writing of itself. Readers of run.h5 see the same paths as at the end.
void write_cell_file(const RunDirectory& directory, const RunPlan& plan, const CellResult& cell);
// Where nothing of the cell is done. A file that cannot be removed stays, on NFS for instance when somebody reads it.
void remove_cell_file(const RunDirectory& directory, const Cell& cell);
void link_cell_files(const RunDirectory& directory, const RunPlan& plan, const Provenance& provenance);
// At the end one file holds all, in the order of the plan. Holds one sample's arrays in memory at a time.
void write_run_file(const RunDirectory& directory, const RunPlan& plan, const std::vector<CellResult>& cells,
                    const Provenance& provenance);
// The files of the cells, which run.h5 then has no need of, and their folder when nothing else is in it.
void remove_cell_files(const RunDirectory& directory, const RunPlan& plan);

// Opens DIR/run.h5 of any run. Throws Error{kFormat} for what is none, Error{kUnsupported} for another schema.
h5::File open_run_file(const std::string& path);

}  // namespace sala::eval
