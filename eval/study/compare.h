// Two models on the same samples.
#pragma once

#include <string>
#include <vector>

#include "eval/report/table.h"
#include "eval/study/answers.h"

namespace sala::eval {

// Trainings of one model; their samples are compared where all have them.
using Side = std::vector<ScoredAnswers>;

struct Comparison {
  Table table;                         // a row for each task and length, then the mean over tasks of each length
  std::vector<std::string> sentences;  // what was compared and how
};

// `tasks`: only these; empty = all. Throws Error{kUsage} when no sample is shared.
Comparison compare(const Side& a, const Side& b, const std::vector<std::string>& tasks);

// The trainings of one model alone: scores with their intervals, and means over tasks that trainings and samples carry.
Comparison summarise(const Side& side, const std::vector<std::string>& tasks);

}  // namespace sala::eval
