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
#include <vector>

#include "sim/core/tile_runner.h"

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

int usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Helpers join a job while it has tiles. The caller waits for those that joined and for no other, so that a helper which
// another process keeps from its core costs nothing: an OpenMP barrier would wait for it.
class OwnRunner final : public TileRunner {
 public:
  ~OwnRunner() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      ++generation_;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool run(int64_t tiles, int threads, const ThreadPool::Body& body) override {
    Job job{tiles, threads, body};
    {
      const std::lock_guard lock(mutex_);
      if (job_ != nullptr) return false;
      while (static_cast<int>(threads_.size()) < threads - 1)
        threads_.emplace_back([this, worker = static_cast<int>(threads_.size()) + 1] { help(worker); });
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
  struct Job {
    void run(int worker) {
      for (int64_t tile = next++; tile < tiles; tile = next++) body(tile, worker);
    }
    const int64_t tiles;
    const int threads;
    const ThreadPool::Body& body;
    std::atomic<int64_t> next{0};
    std::atomic<int> active{0};  // helpers inside run()
  };

  void help(int worker) {
    uint64_t seen = 0;
    for (;;) {
      look_for([&] { return generation_ != seen; });
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_ != seen; });
      if (stop_) return;
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
  std::vector<std::thread> threads_;
  Job* job_ = nullptr;
  std::atomic<uint64_t> generation_{0};  // counts jobs
  bool stop_ = false;
};

}  // namespace

std::unique_ptr<TileRunner> make_own_runner() { return std::make_unique<OwnRunner>(); }

#if defined(SALA_OPENMP)
ThreadPool::ThreadPool(int threads) : ThreadPool(threads, make_openmp_runner()) {}
#else
ThreadPool::ThreadPool(int threads) : ThreadPool(threads, make_own_runner()) {}
#endif
ThreadPool::ThreadPool(int threads, std::unique_ptr<TileRunner> runner)
    : threads_(std::max(0, threads)), runner_(std::move(runner)) {}
ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const { return threads_ > 0 ? threads_ : num_threads(); }

void ThreadPool::run(int64_t tiles, const Body& body) {
  const int most = static_cast<int>(std::min<int64_t>(threads(), tiles));
  std::atomic<bool> failed{false};
  std::mutex failure_mutex;
  std::exception_ptr failure;
  const auto guarded = [&](int64_t tile, int worker) {
    if (failed) return;
    inside = true;
    try {
      body(tile, worker);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failed.exchange(true)) failure = std::current_exception();
    }
    inside = false;
  };
  if (most <= 1 || inside || !runner_->run(tiles, most, guarded)) {
    for (int64_t tile = 0; tile < tiles; ++tile) body(tile, 0);
    return;
  }
  if (failure) std::rethrow_exception(failure);
}

void set_num_threads(int threads) { requested_threads = std::max(0, threads); }

int num_threads() {
  static const int processors = usable_processors();
  const int requested = requested_threads.load();
  return requested > 0 ? requested : processors;
}

ThreadPool& default_pool() {
  static ThreadPool& pool = *std::make_unique<ThreadPool>(0).release();  // never ends: callers may outlive statics
  return pool;
}

void parallel_for(int64_t tiles, const ThreadPool::Body& body) { default_pool().run(tiles, body); }

}  // namespace sala
