// The live view on stderr: one line rewritten in place on a terminal, a plain line every ten seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "eval/spec/plan.h"

namespace sala::eval {

// May be told things by several threads; `lane` is which of the samples that are answered at once is meant.
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
  void skip(const Cell& cell);  // a sample that was done before
  void begin_sample(int lane, const Cell& cell, int64_t number, int64_t of);
  void prompt(int lane, int64_t done, int64_t total);
  void token(int lane, int64_t generated);
  void end_sample(int lane, double score, int64_t tokens, double seconds);
  // All samples of the cell are done: without a terminal it has a line of its own.
  void end_cell(const Cell& cell);
  // Removes the live line.
  void finish();

 private:
  struct Scores {  // of a cell
    double sum = 0, tokens_per_second = 0;
    int64_t count = 0;
  };
  struct Live {  // a sample that is being answered
    std::string name;
    Scores* scores = nullptr;
    int64_t number = 0, of = 0, prompt_done = 0, prompt_total = 0, generated = 0;
    double began = 0, work = 0, share = 0;
  };
  void show();
  void clear();
  std::string line() const;
  std::string time_left() const;

  std::FILE* out_;
  bool quiet_, in_place_;
  std::function<double(int64_t)> work_;
  Clock clock_;
  std::mutex mutex_;
  double began_ = 0, shown_ = -1e9;
  double work_total_ = 0, work_done_ = 0, work_skipped_ = 0;
  std::map<std::string, Scores> scores_;  // by the name of the cell
  std::map<int, Live> live_;              // by lane
  bool drawn_ = false;                    // a live line is on the screen
};

// "3 s", "12 min", "2 h 05 min"
std::string format_seconds(double seconds);

}  // namespace sala::eval
