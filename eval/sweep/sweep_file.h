// The file of a sweep: which flags of `run` take which values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sala::eval {

// A long flag of `run` that says what is computed, without its dashes.
struct AxisFlag {
  std::string name;
  bool takes_value = true;
};

// Flags and their values: {"topk", "8"}, {"exact-lse", "true"}, {"set.sparse_config.topk", "8"}; by name.
using Settings = std::map<std::string, std::string>;
// As words of a command line.
std::vector<std::string> words_of(const Settings& settings, const std::vector<AxisFlag>& flags);

// What jobs ask Slurm for; empty or 0 = what the cluster or the plan says.
struct SlurmOptions {
  std::string partition, account, time, memory;
  std::vector<std::string> options;  // any others of sbatch
  int64_t cpus = 1;                  // of a job
  int64_t jobs = 0;
  int64_t requeue = 2;  // how often what a job did not finish is given to Slurm again
};

struct SweepFile {
  std::string name;  // of the file, without its ending
  std::string text;
  std::vector<Settings> combinations;                                     // each is one call of `run`
  std::vector<std::map<std::string, std::vector<std::string>>> excludes;  // flag to the values that are meant
  SlurmOptions slurm;
};

// [grid] and every [[include]] are grids: lists are varied, the rest and what [fixed] says is the same in all combinations.
// Throws Error{kUsage} for a flag, table or key that does not exist, with near names, and for a file without combinations;
// as read_toml().
SweepFile read_sweep_file(const std::string& path, const std::vector<AxisFlag>& flags);

}  // namespace sala::eval
