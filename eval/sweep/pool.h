// Runs cells on this machine, each in a process of its own: one that ends badly is reported and the others go on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "eval/sweep/cell.h"
#include "eval/sweep/folder.h"

namespace sala::eval {

struct PoolOptions {
  int64_t jobs = 1;  // processes at once, as far as they fit in memory_bytes together
  int threads = 1;   // of each, where the cell does not say it
  int64_t memory_bytes = 0;
  double seconds_a_cost = 0;  // for the time left until something was measured; 0 = not known
  bool quiet = false;
  std::function<void()> alive = [] {};  // called several times a second
};

// A cell that is to run, and the samples that its run is to have: what the cell asks for and what is there already.
struct CellWork {
  const SweepCell* cell = nullptr;
  std::vector<int64_t> samples;
  double cost = 0;  // in a unit of its own
};

// What cells did that ended well.
struct Ran {
  int64_t failed = 0;  // of all
  double seconds = 0, cost = 0;
  int64_t peak_bytes = 0, planned_bytes = 0;  // the most of one
};

// The costliest first. Says on stderr what is done. Ends early with everything saved when an interrupt is requested
// (interrupt.h). A cell that cannot be started fails on its own, when no other is running whose end could help. How a cell
// failed is kept in the folder. Throws Error{kIo} when that could not be written, once all others
// have run; and what `alive` throws, once what was running has saved what it has.
Ran run_cells(const SweepFolder& folder, std::vector<CellWork> work, const PoolOptions& options);

}  // namespace sala::eval
