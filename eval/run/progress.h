// The live view on stderr: one line rewritten in place on a terminal, a plain line every ten seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "eval/spec/plan.h"

namespace sala::eval {

class Progress {
 public:
  using Clock = std::function<double()>;  // seconds, rising

  // `work(length)` is the relative cost of one sample of that length; the time left is estimated with it.
  // quiet: prints nothing. in_place: rewrite one line.
  Progress(std::FILE* out, bool quiet, bool in_place, const RunPlan& plan, std::function<double(int64_t)> work,
           Clock clock = {});
  ~Progress() { finish(); }

  // A line of its own, also when a live line is on the screen.
  void say(const std::string& line);
  void skip(const Cell& cell) { work_skipped_ += work_(cell.length); }  // a sample that was done before
  void begin_sample(const Cell& cell, int64_t number, int64_t of);
  void prompt(int64_t done, int64_t total);
  void token(int64_t generated);
  void end_sample(double score, int64_t tokens, double seconds);
  void begin_cell();
  // Removes the live line.
  void finish();

 private:
  void show(bool now);
  std::string line() const;
  std::string time_left() const;

  std::FILE* out_;
  bool quiet_, in_place_;
  std::function<double(int64_t)> work_;
  Clock clock_;
  double began_ = 0, shown_ = -1e9, sample_began_ = 0;
  double work_total_ = 0, work_done_ = 0, work_skipped_ = 0, sample_work_ = 0, sample_share_ = 0;
  std::string name_;
  int64_t number_ = 0, of_ = 0, prompt_done_ = 0, prompt_total_ = 0, generated_ = 0;
  double score_sum_ = 0;
  int64_t scored_ = 0;
  bool live_ = false;  // a live line is on the screen
};

// "3 s", "12 min", "2 h 05 min"
std::string format_seconds(double seconds);

}  // namespace sala::eval
