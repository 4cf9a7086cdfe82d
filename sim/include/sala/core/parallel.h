// Fixed tiles handed to threads by a shared counter. The tiling never depends on the thread count, so neither do results.
#pragma once

#include <cstdint>
#include <functional>

namespace sala {

// Threads used by parallel_for from now on; 0 means all that the process may run on. At least 1.
void set_num_threads(int threads);
int num_threads();

// Calls body(tile, worker) once for every tile in [0, tiles); worker is in [0, num_threads()). Tiles must not touch each
// other's outputs. The first exception of a tile is rethrown here after the others have stopped; tiles not yet begun are
// left out. A nested call, and one while another thread's runs, runs serially in its caller's thread with worker 0: scratch
// memory by worker must belong to that call.
void parallel_for(int64_t tiles, const std::function<void(int64_t tile, int worker)>& body);

}  // namespace sala
