#include "eval/run/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/util/streams.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr double kInPlaceSeconds = 0.2, kPlainSeconds = 10;
constexpr std::size_t kLongestLine = 4000;  // bytes

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
  const std::lock_guard lock(mutex_);
  if (quiet_) return;
  clear();
  streams::put(out_, text::printable(text, kLongestLine) + "\n");
}

void Progress::skip(const Cell& cell) {
  const std::lock_guard lock(mutex_);
  work_skipped_ += work_(cell.length);
}

void Progress::begin_sample(int lane, const Cell& cell, int64_t number, int64_t of) {
  const std::lock_guard lock(mutex_);
  Live live;
  live.name = fmt::format("{} {}", cell.task->name(), tasks::format_length(cell.length));
  live.scores = &scores_[cell.name()];
  live.number = number;
  live.of = of;
  live.work = work_(cell.length);
  live.began = clock_();
  live_[lane] = live;
  show();
}

void Progress::prompt(int lane, int64_t done, int64_t total) {
  const std::lock_guard lock(mutex_);
  Live& live = live_[lane];
  live.prompt_done = done;
  live.prompt_total = total;
  live.share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  show();
}

void Progress::token(int lane, int64_t generated) {
  const std::lock_guard lock(mutex_);
  live_[lane].generated = generated;
  show();
}

void Progress::end_sample(int lane, double score, int64_t tokens, double seconds) {
  const std::lock_guard lock(mutex_);
  Live& live = live_[lane];
  live.scores->sum += score;
  live.scores->count += 1;
  live.scores->tokens_per_second = seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  work_done_ += live.work;
  live.work = 0;
  show();
  live_.erase(lane);
}

void Progress::end_cell(const Cell& cell) {
  const std::lock_guard lock(mutex_);
  if (quiet_ || in_place_) return;
  const Scores& scores = scores_[cell.name()];
  if (scores.count == 0) return;
  streams::put(out_,
               fmt::format("{} {}: {} samples, score {:.1f}, {:.0f} tokens/s, {} left\n", cell.task->name(),
                           tasks::format_length(cell.length), cell.samples.size(),
                           100 * scores.sum / static_cast<double>(scores.count), scores.tokens_per_second, time_left()));
  shown_ = clock_();
}

std::string Progress::time_left() const {
  double done = work_done_;
  for (const auto& [lane, live] : live_) done += live.work * live.share;
  const double left = work_total_ - work_skipped_ - done, elapsed = clock_() - began_;
  if (left <= 0) return "0 s";
  return done <= 0 || elapsed < 1 ? "?" : format_seconds(elapsed * left / done);
}

// Of the sample that has been answered longest, and how many are answered beside it.
std::string Progress::line() const {
  const auto first = std::min_element(live_.begin(), live_.end(),
                                      [](const auto& a, const auto& b) { return a.second.began < b.second.began; });
  const Live& live = first->second;
  std::string text = fmt::format("{}  sample {}/{}", live.name, live.number, live.of);
  if (live_.size() > 1) text += fmt::format("  {} at once", live_.size());
  if (live.prompt_total > 0 && live.generated == 0)
    text += fmt::format("  reading {:3.0f}%",
                        100.0 * static_cast<double>(live.prompt_done) / static_cast<double>(live.prompt_total));
  if (live.generated > 0) text += fmt::format("  answering, {} tokens", live.generated);
  double speed = 0;  // of all
  for (const auto& [lane, each] : live_)
    if (const double seconds = clock_() - each.began; each.prompt_done > 0 && seconds > 0)
      speed += static_cast<double>(each.prompt_done + each.generated) / seconds;
  if (speed > 0) text += fmt::format("  {:.0f} tokens/s", speed);
  if (live.scores->count > 0)
    text += fmt::format("  score {:.1f}", 100 * live.scores->sum / static_cast<double>(live.scores->count));
  return text + fmt::format("  {} left", time_left());
}

void Progress::show() {
  const double time = clock_();
  if (quiet_ || time - shown_ < (in_place_ ? kInPlaceSeconds : kPlainSeconds)) return;
  if (!in_place_ && shown_ < 0) {  // the first ten seconds say nothing
    shown_ = time;
    return;
  }
  shown_ = time;
  streams::put(out_, fmt::format("{}{}{}", in_place_ ? "\r\033[K" : "", line(), in_place_ ? "" : "\n"));
  drawn_ = in_place_;
}

void Progress::clear() {
  if (!drawn_) return;
  streams::put(out_, "\r\033[K");
  drawn_ = false;
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  clear();
}

}  // namespace sala::eval
