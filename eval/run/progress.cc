#include "eval/run/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace sala::eval {
namespace {

constexpr double kInPlaceSeconds = 0.2, kPlainSeconds = 10;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string format_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 100) return fmt::format("{} s", whole);
  const int64_t minutes = (whole + 30) / 60;
  return minutes < 100 ? fmt::format("{} min", minutes) : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

Progress::Progress(std::FILE* out, bool quiet, bool in_place, const RunPlan& plan, std::function<double(int64_t)> work,
                   Clock clock)
    : out_(out),
      quiet_(quiet),
      in_place_(in_place),
      work_(std::move(work)),
      clock_(clock ? std::move(clock) : steady_seconds) {
  for (const Cell& cell : plan.cells) work_total_ += work_(cell.length) * static_cast<double>(cell.samples.size());
  began_ = clock_();
}

void Progress::say(const std::string& text) {
  if (quiet_) return;
  finish();
  fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

void Progress::begin_cell() {
  score_sum_ = 0;
  scored_ = 0;
}

void Progress::begin_sample(const Cell& cell, int64_t number, int64_t of) {
  name_ = fmt::format("{} {}", cell.task->name(), tasks::format_length(cell.length));
  number_ = number;
  of_ = of;
  prompt_done_ = prompt_total_ = generated_ = 0;
  sample_work_ = work_(cell.length);
  sample_share_ = 0;
  sample_began_ = clock_();
  show(false);
}

void Progress::prompt(int64_t done, int64_t total) {
  prompt_done_ = done;
  prompt_total_ = total;
  sample_share_ = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  show(false);
}

void Progress::token(int64_t generated) {
  generated_ = generated;
  show(false);
}

void Progress::end_sample(double score, int64_t tokens, double seconds) {
  score_sum_ += score;
  ++scored_;
  work_done_ += sample_work_;
  sample_share_ = 0;
  sample_work_ = 0;
  if (quiet_ || in_place_ || number_ < of_) {
    show(false);
    return;
  }
  // Without a terminal each cell ends with a line of its own.
  fmt::print(out_, "{}: {} samples, score {:.1f}, {:.0f} tokens/s, {} left\n", name_, of_,
             100 * score_sum_ / static_cast<double>(scored_), seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0,
             time_left());
  std::fflush(out_);
  shown_ = clock_();
}

std::string Progress::time_left() const {
  const double done = work_done_ + sample_work_ * sample_share_, left = work_total_ - work_skipped_ - done;
  const double elapsed = clock_() - began_;
  if (left <= 0) return "0 s";
  return done <= 0 || elapsed < 1 ? "?" : format_seconds(elapsed * left / done);
}

std::string Progress::line() const {
  std::string text = fmt::format("{}  sample {}/{}", name_, number_, of_);
  const double seconds = clock_() - sample_began_;
  if (prompt_total_ > 0 && generated_ == 0)
    text +=
        fmt::format("  reading {:3.0f}%", 100.0 * static_cast<double>(prompt_done_) / static_cast<double>(prompt_total_));
  if (generated_ > 0) text += fmt::format("  answering, {} tokens", generated_);
  if (prompt_done_ > 0 && seconds > 0)
    text += fmt::format("  {:.0f} tokens/s", static_cast<double>(prompt_done_ + generated_) / seconds);
  if (scored_ > 0) text += fmt::format("  score {:.1f}", 100 * score_sum_ / static_cast<double>(scored_));
  return text + fmt::format("  {} left", time_left());
}

void Progress::show(bool now) {
  const double time = clock_();
  if (quiet_ || (!now && time - shown_ < (in_place_ ? kInPlaceSeconds : kPlainSeconds))) return;
  if (!in_place_ && shown_ < 0) {  // the first ten seconds say nothing
    shown_ = time;
    return;
  }
  shown_ = time;
  fmt::print(out_, "{}{}{}", in_place_ ? "\r\033[K" : "", line(), in_place_ ? "" : "\n");
  std::fflush(out_);
  live_ = in_place_;
}

void Progress::finish() {
  if (!live_) return;
  fmt::print(out_, "\r\033[K");
  std::fflush(out_);
  live_ = false;
}

}  // namespace sala::eval
