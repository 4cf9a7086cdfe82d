#include "sala/core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

namespace sala {
namespace {
std::atomic<int> requested_threads{0};
}

void set_num_threads(int threads) { requested_threads = std::max(0, threads); }

int num_threads() {
  const int requested = requested_threads.load();
  return requested > 0 ? requested : std::max(1, omp_get_num_procs());
}

void parallel_for(int64_t tiles, const std::function<void(int64_t, int)>& body) {
  const int threads = static_cast<int>(std::min<int64_t>(num_threads(), tiles));
  if (threads <= 1 || omp_in_parallel()) {
    for (int64_t tile = 0; tile < tiles; ++tile) body(tile, 0);
    return;
  }
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
#pragma omp parallel num_threads(threads)
  {
    const int worker = omp_get_thread_num();
    try {
      for (int64_t tile = next++; tile < tiles; tile = next++) body(tile, worker);
    } catch (...) {
      next = tiles;
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sala
