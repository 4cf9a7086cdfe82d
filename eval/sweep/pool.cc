#include "eval/sweep/pool.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <exception>
#include <list>
#include <optional>

#include "eval/run/progress.h"
#include "eval/spec/plan.h"
#include "eval/util/clock.h"
#include "eval/util/interrupt.h"
#include "eval/util/process.h"
#include "eval/util/streams.h"
#include "eval/util/terminal.h"
#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr int kRunInterrupted = 130, kBySignal = 128;

struct Running {
  CellWork work;
  Process process;
  double began = 0;
};

// What run said last, without what it says for people at a terminal.
std::string sentence_of(const Process& process) {
  constexpr std::string_view kError = "sala_eval: error ";
  if (process.code() > kBySignal && process.code() != kRunInterrupted) {
    const int signal = process.code() - kBySignal;
    return fmt::format("[killed] its process was ended by signal {} ({}){}", signal, ::strsignal(signal),
                       signal == SIGKILL ? "; the system may have had no memory left" : "");
  }
  const std::string& said = process.errors();
  const std::size_t at = said.rfind(kError);
  if (at == std::string::npos)
    return fmt::format("[killed] its process ended with code {} and without a reason", process.code());
  std::string line = said.substr(at + kError.size(), said.find('\n', at) - at - kError.size());
  line = line.substr(0, line.find("; what was done is in "));
  return text::printable(line, 1000);
}

class View {
 public:
  View(const std::vector<CellWork>& work, const PoolOptions& options)
      : options_(options), in_place_(rewrites_lines(stderr)), line_(stderr), total_(work.size()) {
    for (const CellWork& each : work) left_ += each.cost;
  }
  void say(const std::string& text) {
    if (options_.quiet) return;
    line_.clear();
    streams::note("{}\n", text);
  }
  void ended(const CellWork& work, double began, const std::string& result) {
    const double seconds = seconds_now() - began;
    ++done_;
    left_ -= work.cost;
    done_cost_ += work.cost;
    done_seconds_ += seconds;
    say(fmt::format("{}/{} {}: {}, {}", done_, total_, work.cell->title(), result, format_seconds(seconds)));
  }
  void show(const std::list<Running>& running) {
    constexpr double kLive = 0.3, kPlain = 10;
    if (options_.quiet || seconds_now() - shown_ < (in_place_ ? kLive : kPlain)) return;
    const bool first = shown_ < 0;
    shown_ = seconds_now();
    if (first && !in_place_) return;  // nothing is done yet
    std::string text = fmt::format("{} of {} cells{}", done_, total_, time_left(running));
    for (const Running& each : running) text += "; " + each.work.cell->title();
    if (in_place_)
      line_.draw(text);
    else
      streams::note("{}\n", text);
  }
  void clear() { line_.clear(); }

 private:
  std::string time_left(const std::list<Running>& running) const {
    const double speed = done_ > 0 && done_cost_ > 0   ? done_cost_ / std::max(done_seconds_, 1e-9)
                         : options_.seconds_a_cost > 0 ? 1 / options_.seconds_a_cost
                                                       : 0;
    if (speed <= 0) return "";
    double seconds = left_ / speed, longest = 0;
    for (const Running& each : running) {
      const double whole = each.work.cost / speed, past = seconds_now() - each.began;
      seconds -= std::min(whole, past);
      longest = std::max(longest, whole - past);
    }
    return fmt::format(
        ", {} left",
        format_seconds(std::max({longest, seconds / static_cast<double>(std::max<std::size_t>(1, running.size())), 0.0})));
  }

  const PoolOptions& options_;
  bool in_place_;
  LiveLine line_;
  std::size_t total_, done_ = 0;
  double left_ = 0, done_cost_ = 0, done_seconds_ = 0, shown_ = -1;
};

class Pool {
 public:
  Pool(const SweepFolder& folder, std::vector<CellWork> work, const PoolOptions& options)
      : folder_(folder), options_(options), view_(work, options), waiting_(work.begin(), work.end()) {
    waiting_.sort([](const CellWork& a, const CellWork& b) { return a.cost > b.cost; });
  }

  Ran run() {
    while (!waiting_.empty() || !running_.empty()) {
      if (interrupt_requested()) stop("interrupted; what is running saves what it has");
      while (start_next()) {
      }
      wait();
      std::erase_if(running_, [&](Running& each) { return each.process.poll() && ended(each); });
      view_.show(running_);
      stay_alive();
    }
    view_.clear();
    if (not_alive_) std::rethrow_exception(not_alive_);
    if (unwritten_)
      throw Error(unwritten_->code(), "{}; what cells computed is saved, the same command goes on", unwritten_->what());
    return ran_;
  }

 private:
  bool start_next() {
    if (static_cast<int64_t>(running_.size()) >= options_.jobs) return false;
    int64_t used = 0;
    for (const Running& each : running_) used += each.work.cell->memory_bytes;
    const auto fits = [&](const CellWork& work) {
      return running_.empty() ||
             used + work.cell->memory_bytes <= options_.memory_bytes;  // alone it may say itself that it does not
    };
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), fits);
    if (next == waiting_.end()) return false;
    folder_.clear_error(*next->cell);
    try {
      running_.push_back({*next, Process(words(*next)), seconds_now()});
    } catch (const Error& problem) {
      if (!running_.empty()) return false;  // the system may have room for one more when one has ended
      failed(*next, seconds_now(), error_sentence(problem));
    }
    waiting_.erase(next);
    return true;
  }

  void stay_alive() {
    if (not_alive_) return;
    try {
      options_.alive();
    } catch (const std::exception& problem) {
      not_alive_ = std::current_exception();
      stop(problem.what());
    }
  }

  std::vector<std::string> words(const CellWork& work) const {
    std::vector<std::string> words = {kThisProgram, "run", fmt::format("--threads={}", options_.threads)};
    words.insert(words.end(), work.cell->words.begin(), work.cell->words.end());
    words.push_back("--sample=" + format_indexes(work.samples));
    words.push_back("--out=" + folder_.cell_folder(*work.cell));
    words.insert(words.end(), {"--resume", "--quiet", "--output=csv"});
    return words;
  }

  void wait() const {
    constexpr int kMilliseconds = 200;
    std::vector<pollfd> ends;
    for (const Running& each : running_) ends.push_back({each.process.descriptor(), POLLIN, 0});
    ::poll(ends.data(), ends.size(), kMilliseconds);
  }

  bool ended(const Running& running) {
    const SweepCell& cell = *running.work.cell;
    if (running.process.code() == kRunInterrupted && stopping_) return true;
    if (running.process.code() == 0) {
      folder_.clear_error(cell);
      ran_.seconds += seconds_now() - running.began;
      ran_.cost += running.work.cost;
      ran_.peak_bytes = std::max(ran_.peak_bytes, running.process.peak_bytes());
      ran_.planned_bytes = std::max(ran_.planned_bytes, cell.memory_bytes);
      view_.ended(running.work, running.began, result(cell));
      return true;
    }
    failed(running.work, running.began, sentence_of(running.process));
    return true;
  }

  void failed(const CellWork& work, double began, const std::string& sentence) {
    ++ran_.failed;
    view_.ended(work, began, "failed, " + sentence);
    if (not_alive_) return;  // the folder may be another's by now
    try {
      folder_.set_error(*work.cell, sentence);
    } catch (const Error& problem) {
      if (!unwritten_) unwritten_ = problem;
    }
  }

  std::string result(const SweepCell& cell) const {
    const CellState state = folder_.state(cell);
    double sum = 0;
    for (const SampleRecord& record : state.records) sum += record.score;
    const auto count = static_cast<double>(std::max<std::size_t>(1, state.records.size()));
    return fmt::format("{:.1f} of 100, {} samples", 100 * sum / count, state.records.size());
  }

  void stop(const std::string& why) {
    if (stopping_) return;
    stopping_ = true;
    waiting_.clear();
    for (const Running& each : running_) each.process.interrupt();
    view_.say(why);
  }

  const SweepFolder& folder_;
  const PoolOptions& options_;
  View view_;
  std::list<CellWork> waiting_;
  std::list<Running> running_;
  Ran ran_;
  bool stopping_ = false;
  std::exception_ptr not_alive_;    // what `alive` threw
  std::optional<Error> unwritten_;  // why a failure could not be written, the first time
};

}  // namespace

Ran run_cells(const SweepFolder& folder, std::vector<CellWork> work, const PoolOptions& options) {
  return Pool(folder, std::move(work), options).run();
}

}  // namespace sala::eval
