// The figures of one cell: what its samples say together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/spec/plan.h"
#include "eval/spec/record.h"

namespace sala::eval {

inline constexpr double kNormal95 = 1.959963984540054;  // 97.5 % point of the standard normal distribution

// Bounds in the unit of the score, 0..1.
struct Interval {
  double low = 0, high = 1;
};

// Wilson's score interval at 95 % for the mean of `count` scores in [0, 1]. For scores with partial credit it is
// conservative: their variance is at most mean * (1 - mean). Unlike a bootstrap it does not shrink to a point when every
// sample scored the same, which is the usual case with few samples. count >= 1.
Interval wilson_interval(double mean, int64_t count);
// 95 % interval of the unweighted mean of independent means with the given intervals (MOVER; Zou and Donner, 2008).
Interval mean_interval(const std::vector<double>& means, const std::vector<Interval>& intervals);

struct CellResult {
  Cell cell;
  std::vector<const SampleRecord*> records;  // by ascending sample index; at least one
  double score = 0;                          // mean, 0..1
  std::optional<double> standard_error;      // of the mean; empty for a single sample
  Interval interval;
  int64_t nulls = 0;                                    // answers that are empty after RULER's post-processing
  std::vector<std::pair<std::string, double>> figures;  // of statistics: means over the samples that have one
  double mean_fill = 0;                                 // effective tokens / length
  double seconds = 0;                                   // in the engine
  double tokens_per_second = 0;                         // prompt and answer tokens / seconds
  bool complete() const { return records.size() == cell.samples.size(); }
  std::string nulls_text() const;                               // "3/20", as RULER prints them
  std::optional<double> figure(const std::string& name) const;  // "recall"
};

// `records` are those of the cell, in any order; at least one.
CellResult summarize_cell(const Cell& cell, std::vector<const SampleRecord*> records);

}  // namespace sala::eval
