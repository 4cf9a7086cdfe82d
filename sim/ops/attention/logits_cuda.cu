// The logits of one query: a thread a key.
#include "sim/ops/attention/attention_tiles.h"
#include "sim/ops/cuda_math.cuh"

namespace sala::ops::cuda {
namespace {

constexpr int kPanel = static_cast<int>(PackedKeys::kPanel);
constexpr int kLogitThreads = 128;
struct Logits {
  const float* q;
  float scale;
  const float* panels;
  int64_t dim;
  const int64_t* read;
  int64_t count;
  float* logits;

  __device__ void operator()(const Place& place) const {
    const int64_t i = int64_t{place.block.x} * kLogitThreads + threadIdx.x;
    if (i >= count) return;
    const float* key = panels + read[i] / kPanel * dim * kPanel + read[i] % kPanel;
    float sum = 0;
    for (int64_t d = 0; d < dim; ++d) sum += (scale * q[d]) * key[d * kPanel];
    logits[i] = sum;
  }
};

}  // namespace

void attend_logits(const float* q, float scale, const float* panels, int64_t dim, const int64_t* read, int64_t count,
                   float* logits) {
  launch<kLogitThreads>("attention_logits", Logits{q, scale, panels, dim, read, count, logits},
                        grid_of(ceil_div(count, kLogitThreads)));
}

}  // namespace sala::ops::cuda
