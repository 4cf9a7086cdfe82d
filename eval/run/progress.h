// The live view on stderr: finished cells, and below them what is being done: one line rewritten in place on a terminal, a
// plain line every ten seconds elsewhere.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "eval/run/time_left.h"
#include "eval/spec/plan.h"
#include "eval/util/terminal.h"

namespace sala::eval {

// May be told things by several threads; `lane` is which of the samples that are answered at once is meant.
class Progress {
 public:
  using Clock = std::function<double()>;  // seconds, rising

  // `work(tokens)` is what it costs to read so many tokens; the time left is estimated with it.
  // quiet: prints nothing. in_place: rewrite one line.
  Progress(std::FILE* out, bool quiet, bool in_place, const RunPlan& plan, std::function<Work(int64_t)> work,
           Clock clock = {});
  ~Progress() { finish(); }

  // A line of its own, also when a live line is on the screen.
  void say(const std::string& line);
  void skip(const Cell& cell, double score);  // a sample that was done before
  void begin_sample(int lane, const Cell& cell, int64_t number, int64_t of);
  void prompt(int lane, int64_t done, int64_t total);
  void token(int lane, int64_t generated);
  void end_sample(int lane, double score, int64_t tokens, double seconds);
  // All samples of the cell are done: a line of its own.
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
    int64_t length = 0;
    double began = 0;
  };
  void show();
  std::string line();
  std::string time_left();

  std::FILE* out_;
  bool quiet_, in_place_;
  std::function<Work(int64_t)> work_;
  Clock clock_;
  LiveLine live_line_;
  TimeLeft time_left_;
  std::mutex mutex_;
  double began_ = 0, shown_ = -1e9;
  Work done_;                             // of the samples that were answered here
  std::map<std::string, Scores> scores_;  // by the name of the cell
  std::map<int, Live> live_;              // by lane
};

// "3 s", "12 min", "2 h 05 min", "3.5 days"
std::string format_seconds(double seconds);

}  // namespace sala::eval
