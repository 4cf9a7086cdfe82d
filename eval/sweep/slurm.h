// Cells as jobs of Slurm: an array of which each task is a `sweep --shard I/N` on the same folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/sweep/folder.h"
#include "eval/sweep/sweep_file.h"

namespace sala::eval {

struct SlurmJob {
  std::string id;       // of the array
  std::string cluster;  // empty where there is one
  int64_t shards = 1;   // that the sweep was divided into
  std::string cells;    // cells_hash() of the sweep

  std::string words() const;  // as scancel takes them: "7", "--clusters=north 7"
};

// Writes slurm/NAME.sh and gives it to sbatch: one task for each of `shards`, of `count` in all, each of which ends when the
// sweep no longer has the cells `cells`. `memory_bytes`: what a task needs where the file does not say it. Throws
// Error{kUnsupported} when there is no Slurm here, Error{kIo} with Slurm's sentence when it refuses.
SlurmJob submit(const SweepFolder& folder, const std::string& sweep, const SlurmOptions& options, const std::string& cells,
                const std::vector<int64_t>& shards, int64_t count, int64_t memory_bytes);
// The job that was submitted last; nothing when there was none.
std::optional<SlurmJob> last_job(const SweepFolder& folder, const std::string& sweep);
// "3 running, 5 pending (Resources)"; empty when no task of it waits or runs any more. Throws Error{kIo} when Slurm does not
// answer, as submit().
std::string in_queue(const SlurmJob& job);

}  // namespace sala::eval
