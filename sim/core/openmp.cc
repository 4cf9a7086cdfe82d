#include <omp.h>

#include "sim/core/tile_runner.h"

namespace sala {
namespace {

class OpenMpRunner final : public TileRunner {
 public:
  bool run(int64_t tiles, int threads, const ThreadPool::Body& body) override {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t tile = 0; tile < tiles; ++tile) body(tile, omp_get_thread_num());
    return true;  // every caller has a team of its own
  }
};

}  // namespace

std::unique_ptr<TileRunner> make_openmp_runner() { return std::make_unique<OpenMpRunner>(); }

}  // namespace sala
