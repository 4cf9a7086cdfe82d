// What a ThreadPool spreads its tiles with.
#pragma once

#include "sala/core/parallel.h"

namespace sala {

class TileRunner {
 public:
  virtual ~TileRunner() = default;
  // body(tile, worker) once for every tile, worker in [0, threads) and threads at least 2; the body does not throw. False,
  // with nothing done, while another thread's call runs.
  virtual bool run(int64_t tiles, int threads, const ThreadPool::Body& body) = 0;
};

// Threads of our own, which join while there are tiles (parallel.cc).
std::unique_ptr<TileRunner> make_own_runner();
// OpenMP's threads, dynamic schedule (openmp.cc). The runner of every pool in a build with SALA_OPENMP; linked by a test of
// other builds where the compiler has OpenMP.
std::unique_ptr<TileRunner> make_openmp_runner();

}  // namespace sala
