#include "eval/run/lanes.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace sala::eval {
namespace {

struct Abandoned : std::exception {
  const char* what() const noexcept override { return "another lane failed"; }
};

class Lanes {
 public:
  Lanes(int64_t lanes, int64_t items, const LaneWork& work)
      : items_(items), most_outstanding_(static_cast<std::size_t>(lanes)), running_(lanes), work_(work) {}

  void run() {
    std::vector<std::thread> threads;
    const int64_t lanes = running_;
    threads.reserve(static_cast<std::size_t>(lanes));
    try {
      for (int64_t lane = 0; lane < lanes; ++lane) threads.emplace_back([this, lane] { run_lane(static_cast<int>(lane)); });
    } catch (const std::system_error&) {  // the system gives no more threads: fewer do
      if (threads.empty()) throw;
      const std::lock_guard lock(mutex_);
      running_ -= lanes - static_cast<int64_t>(threads.size());
    }
    deliver();
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // Until the lanes have ended and nothing is left that may be delivered.
  void deliver() {
    std::unique_lock lock(mutex_);
    for (bool failed = false;;) {
      changed_.wait(lock, [&] { return running_ == 0 || !ready_.empty(); });
      if (ready_.empty()) return;
      const Delivery delivery = std::move(ready_.front());
      ready_.pop_front();
      changed_.notify_all();
      if (failed) continue;
      lock.unlock();
      try {
        delivery();
        lock.lock();
      } catch (...) {
        lock.lock();
        failed = true;
        if (!failure_) failure_ = std::current_exception();
      }
    }
  }

  void run_lane(int lane) {
    const auto check = [this] {
      const std::lock_guard lock(mutex_);
      if (failure_) throw Abandoned();
    };
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return failure_ || next_ == items_ || ready_.size() < most_outstanding_; });
      if (failure_ || next_ == items_) break;
      const int64_t item = next_++;
      lock.unlock();
      try {
        Delivery delivery = work_(lane, item, check);
        lock.lock();
        ready_.push_back(std::move(delivery));
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (!failure_) failure_ = std::current_exception();
      }
      changed_.notify_all();
    }
    --running_;
    changed_.notify_all();
  }

  const int64_t items_;
  const std::size_t most_outstanding_;
  int64_t running_, next_ = 0;
  const LaneWork& work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Delivery> ready_;
  std::exception_ptr failure_;
};

}  // namespace

void run_lanes(int64_t lanes, int64_t items, const LaneWork& work) {
  if (lanes > 1) return Lanes(lanes, items, work).run();
  for (int64_t item = 0; item < items; ++item) work(0, item, [] {})();
}

}  // namespace sala::eval
