// The folder of one or more sweeps:
//   sweeps/NAME.toml, NAME.json   the file of a sweep, and its cells
//   cells/HASH/                   the run of a cell, whichever sweep asked for it
//   cells/HASH.error              how its last process failed
//   running/                      who computes here now (claim.h)
//   slurm/                        scripts and logs of jobs (slurm.h)
//   cells.csv                     the result (table.h)
// Processes on several machines may use it at once: files are replaced whole, under names of their own until then.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "eval/sweep/cell.h"
#include "eval/sweep/cell_state.h"

namespace sala::eval {

struct Sweep {
  std::string name, text;  // of its file
  std::vector<SweepCell> cells;
};

class SweepFolder {
 public:
  explicit SweepFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string cell_folder(const SweepCell& cell) const { return file("cells/" + cell.name); }
  std::string error_file(const SweepCell& cell) const { return file("cells/" + cell.name + ".error"); }
  std::string toml_file(const std::string& sweep) const { return file("sweeps/" + sweep + ".toml"); }

  // Does nothing when the folder has just that.
  void write(const Sweep& sweep) const;
  // By name. Throws Error{kUsage} when there is none, Error{kFormat} for one that is damaged or no sweep.
  std::vector<Sweep> read() const;
  CellState state(const SweepCell& cell) const { return read_state(cell, cell_folder(cell), error_file(cell)); }
  void set_error(const SweepCell& cell, const std::string& sentence) const;
  void clear_error(const SweepCell& cell) const;

 private:
  std::string path_;
};

// The cells of all sweeps, each once, in the order of the sweeps, with all samples that any asks for. One that is refused in
// one sweep and can run in another can run.
std::vector<SweepCell> all_cells(const std::vector<Sweep>& sweeps);

struct Merged {
  int64_t copied = 0;                 // cells
  std::vector<std::string> problems;  // of those that were left as they are, a sentence each: damage, results that differ
};
// Copies what the folders `from` have and `to` lacks; `to` has whole cells only, whatever happens. Throws Error{kUsage} for
// two sweeps of one name, Error{kIo}.
Merged merge(const std::vector<std::string>& from, const SweepFolder& to);

}  // namespace sala::eval
