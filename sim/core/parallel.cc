#include "sala/core/parallel.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

namespace sala {
namespace {

std::atomic<int> requested_threads{0};
thread_local bool inside = false;  // a tile: calls from there run serially

// How long a thread looks for work before it sleeps: longer than the serial stretch between two ops, shorter than anybody
// notices.
constexpr std::chrono::microseconds kLookFor{50};

// Waits a little for `done`. A sleeping thread takes tens of microseconds to wake, as long as a whole small op.
template <class Done>
void look_for(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + kLookFor;
  while (!done() && std::chrono::steady_clock::now() < end) {
  }
}

struct Job {
  Job(int64_t count, int workers, const std::function<void(int64_t, int)>& function)
      : tiles(count), threads(workers), body(function) {}

  void run(int worker) {
    inside = true;
    try {
      for (int64_t tile = next++; tile < tiles; tile = next++) body(tile, worker);
    } catch (...) {
      next = tiles;
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
    inside = false;
  }

  const int64_t tiles;
  const int threads;
  const std::function<void(int64_t, int)>& body;
  std::atomic<int64_t> next{0};
  std::atomic<int> active{0};  // helpers inside run()
  std::mutex failure_mutex;
  std::exception_ptr failure;
};

// Helpers join a job while it has tiles. The caller waits for those that joined and for no other, so that a helper which
// another process keeps from its core costs nothing: an OpenMP barrier would wait for it.
class Pool {
 public:
  // False when another thread's job has the pool.
  bool run(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      if (job_ != nullptr) return false;
      for (; helpers_ < job.threads - 1; ++helpers_) std::thread([this, worker = helpers_ + 1] { help(worker); }).detach();
      job_ = &job;
      ++generation_;
    }
    wake_.notify_all();
    job.run(0);
    {
      const std::lock_guard lock(mutex_);
      job_ = nullptr;  // nobody joins from now on
    }
    look_for([&] { return job.active == 0; });
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return job.active == 0; });
    return true;
  }

 private:
  void help(int worker) {
    uint64_t seen = 0;
    for (;;) {
      look_for([&] { return generation_ != seen; });
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      Job* const job = job_;
      if (job == nullptr || worker >= job->threads) continue;
      ++job->active;
      lock.unlock();
      job->run(worker);
      lock.lock();
      --job->active;
      idle_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  int helpers_ = 0;
  Job* job_ = nullptr;
  std::atomic<uint64_t> generation_{0};  // counts jobs
};

int usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

void set_num_threads(int threads) { requested_threads = std::max(0, threads); }

int num_threads() {
  static const int processors = usable_processors();
  const int requested = requested_threads.load();
  return requested > 0 ? requested : processors;
}

void parallel_for(int64_t tiles, const std::function<void(int64_t, int)>& body) {
  static Pool& pool = *std::make_unique<Pool>().release();  // lives as long as its helpers: they are never joined
  const int threads = static_cast<int>(std::min<int64_t>(num_threads(), tiles));
  Job job(tiles, threads, body);
  if (threads <= 1 || inside || !pool.run(job)) {
    for (int64_t tile = 0; tile < tiles; ++tile) body(tile, 0);
    return;
  }
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace sala
