#include "eval/run/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/util/clock.h"
#include "eval/util/columns.h"
#include "eval/util/streams.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr double kInPlaceSeconds = 0.2, kPlainSeconds = 10;
constexpr std::size_t kLongestLine = 4000;  // bytes

void add(Work& sum, const Work& more, double times = 1) {
  sum.resize(std::max(sum.size(), more.size()));
  for (std::size_t i = 0; i < more.size(); ++i) sum[i] += times * more[i];
}

Work total_work(const RunPlan& plan, const std::function<Work(int64_t)>& work) {
  Work total;
  for (const Cell& cell : plan.cells) add(total, work(cell.length), static_cast<double>(cell.samples.size()));
  return total;
}

}  // namespace

std::string format_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 100) return fmt::format("{} s", whole);
  const int64_t minutes = (whole + 30) / 60;
  if (minutes < 100) return fmt::format("{} min", minutes);
  if (minutes < 48 * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  return fmt::format("{:.1f} days", static_cast<double>(minutes) / (24 * 60));
}

Progress::Progress(std::FILE* out, bool quiet, bool in_place, const RunPlan& plan, std::function<Work(int64_t)> work,
                   Clock clock)
    : out_(out),
      quiet_(quiet),
      in_place_(in_place),
      work_(std::move(work)),
      clock_(clock ? std::move(clock) : seconds_now),
      live_line_(out),
      time_left_(total_work(plan, work_)) {
  began_ = clock_();
}

void Progress::say(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (quiet_) return;
  live_line_.clear();
  streams::put(out_, text::printable(text, kLongestLine) + "\n");
}

void Progress::skip(const Cell& cell, double score) {
  const std::lock_guard lock(mutex_);
  Scores& scores = scores_[cell.name()];
  scores.sum += score;
  scores.count += 1;
  time_left_.skip(work_(cell.length));
}

void Progress::begin_sample(int lane, const Cell& cell, int64_t number, int64_t of) {
  const std::lock_guard lock(mutex_);
  Live live;
  live.name = fmt::format("{} {}", cell.task->name(), tasks::format_length(cell.length));
  live.scores = &scores_[cell.name()];
  live.number = number;
  live.of = of;
  live.length = cell.length;
  live.began = clock_();
  live_[lane] = live;
  show();
}

void Progress::prompt(int lane, int64_t done, int64_t total) {
  const std::lock_guard lock(mutex_);
  Live& live = live_[lane];
  live.prompt_done = done;
  live.prompt_total = total;
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
  add(done_, work_(live.length));
  live.length = 0;  // counted
  show();
  live_.erase(lane);
}

void Progress::end_cell(const Cell& cell) {
  const std::lock_guard lock(mutex_);
  if (quiet_) return;
  const Scores& scores = scores_[cell.name()];
  if (scores.count == 0) return;
  live_line_.clear();
  streams::put(out_,
               fmt::format("{} {}: {}, score {:.1f}, {:.0f} tokens/s, {} left\n", cell.task->name(),
                           tasks::format_length(cell.length), counted(static_cast<int64_t>(cell.samples.size()), "sample"),
                           100 * scores.sum / static_cast<double>(scores.count), scores.tokens_per_second, time_left()));
  shown_ = clock_();
}

std::string Progress::time_left() {
  Work done = done_;
  for (const auto& [lane, live] : live_) {
    if (live.length == 0 || live.prompt_total == 0) continue;
    // Of a prompt that is shorter than its length: the same share of the length.
    const double share = static_cast<double>(live.prompt_done) / static_cast<double>(live.prompt_total);
    add(done, work_(static_cast<int64_t>(share * static_cast<double>(live.length))));
  }
  if (done.empty()) return "?";
  time_left_.observe(clock_() - began_, std::move(done));
  const std::optional<double> seconds = time_left_.seconds();
  return seconds ? format_seconds(*seconds) : "?";
}

// Of the sample that has been answered longest, and how many are answered beside it.
std::string Progress::line() {
  const auto first = std::min_element(live_.begin(), live_.end(),
                                      [](const auto& a, const auto& b) { return a.second.began < b.second.began; });
  const Live& live = first->second;
  // A narrow terminal cuts the end off: what matters most stands first.
  std::string text = fmt::format("{}  sample {}/{}  {} left", live.name, live.number, live.of, time_left());
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
  return text;
}

void Progress::show() {
  const double time = clock_();
  if (quiet_ || time - shown_ < (in_place_ ? kInPlaceSeconds : kPlainSeconds)) return;
  if (!in_place_ && shown_ < 0) {  // the first ten seconds say nothing
    shown_ = time;
    return;
  }
  shown_ = time;
  if (in_place_) return live_line_.draw(line());
  streams::put(out_, line() + "\n");
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  live_line_.clear();
}

}  // namespace sala::eval
