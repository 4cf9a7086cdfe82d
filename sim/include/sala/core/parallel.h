// Fixed tiles handed to threads by a shared counter. The tiling never depends on the thread count, so neither do results.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace sala {

class TileRunner;  // sim/core/tile_runner.h

// What runs tiles. Pools are independent of each other: two sessions with a pool each compute side by side.
class ThreadPool {
 public:
  using Body = std::function<void(int64_t tile, int worker)>;

  // The thread that calls run() is among the `threads`; the others start when they are needed first. 0: as many as
  // num_threads() says at every call.
  explicit ThreadPool(int threads);
  ThreadPool(int threads, std::unique_ptr<TileRunner> runner);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;
  // Calls body(tile, worker) once for every tile in [0, tiles); worker is in [0, threads()). Tiles must not touch each
  // other's outputs. The first exception of a tile is rethrown here after the others have stopped; tiles not yet begun are
  // left out. A call from inside a tile (of whatever pool), and one while another thread uses this pool, runs serially in
  // its caller's thread with worker 0: scratch memory by worker must belong to that call.
  void run(int64_t tiles, const Body& body);

 private:
  int threads_;
  std::unique_ptr<TileRunner> runner_;
};

// Threads of default_pool(), and of whoever asks for "all": 0 means all that the process may run on. At least 1.
void set_num_threads(int threads);
int num_threads();

// Of the process, for work that belongs to no session; it has num_threads() threads.
ThreadPool& default_pool();
// default_pool().run().
void parallel_for(int64_t tiles, const ThreadPool::Body& body);

}  // namespace sala
