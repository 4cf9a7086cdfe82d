// A cell of a sweep: one model with its switches on one task at one length.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sala/core/error.h"

namespace sala::eval {

// Names and texts of the columns of cells.csv, in their order; an empty text is unknown or does not apply.
using Columns = std::vector<std::pair<std::string, std::string>>;

struct SweepCell {
  std::string name;                // of its folder: cell_name(); empty when it is refused
  std::string refusal;             // why it cannot run: "[usage] ..."; empty when it can
  std::vector<std::string> words;  // flags of the `run` that computes it
  std::string task, group;
  int64_t length = 0;
  std::vector<int64_t> samples;  // indexes, ascending
  std::string seed;
  Columns model;     // the model and its switches
  Columns asked;     // flags of the file that have no column of their own
  Columns versions;  // of samples, numerics and weights
  int64_t memory_bytes = 0;
  double flops_a_sample = 0;  // of reading its prompt

  // What tells cells apart, also those without a name.
  std::string key() const;
  std::string title() const;  // "sala-tiny niah_single_1@4096", for people
  double flops() const { return flops_a_sample * static_cast<double>(samples.size()); }
  void ask_for(const std::vector<int64_t>& more);  // samples besides its own
};

nlohmann::ordered_json to_json(const SweepCell& cell);
// Throws Error{kFormat} naming the field that is missing or wrong.
SweepCell parse_cell(const nlohmann::ordered_json& json);

// "[usage] ...": how an error stands in a cell's state.
std::string error_sentence(const Error& problem);

// 16 hexadecimal digits: a hash of the plan (RunPlan::to_json()) of a run with one cell, all but which samples. Runs of one
// name have the same result for each sample.
std::string cell_name(nlohmann::ordered_json plan);

// 16 hexadecimal digits: a hash of which cells with which samples these are, in their order.
std::string cells_hash(const std::vector<SweepCell>& cells);

// Cuts the work into `parts` of about equal cost, each a list of places in `costs`, the costliest first. The same for the
// same costs everywhere.
std::vector<std::vector<std::size_t>> pack(const std::vector<double>& costs, std::size_t parts);

}  // namespace sala::eval
