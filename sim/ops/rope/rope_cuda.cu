#include "sim/ops/cuda_math.cuh"
#include "sim/ops/exact_math.h"
#include "sim/ops/rope/rope_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 256;

// A thread a frequency of a token.
struct MakeTable {
  int64_t first, rows;
  int half;
  const float* inv_freq;
  float factor;
  float* table;

  __device__ void operator()(const Place& place) const {
    const int64_t i = int64_t{place.block.x} * kThreads + threadIdx.x, t = i / half;
    if (t >= rows) return;
    const int d = static_cast<int>(i - t * half);
    const SinCos turn = sin_cos(static_cast<double>(static_cast<float>(first + t) * inv_freq[d]));
    table[t * 2 * half + d] = static_cast<float>(turn.cos * static_cast<double>(factor));
    table[t * 2 * half + half + d] = static_cast<float>(turn.sin * static_cast<double>(factor));
  }
};

// A thread a pair of numbers.
struct Rotate {
  const float* table;
  int half, pairs;  // pairs: of a token
  int64_t rows;
  float* x;
  int64_t row_stride, head_stride;

  __device__ void operator()(const Place& place) const {
    const int64_t i = int64_t{place.block.x} * kThreads + threadIdx.x, t = i / pairs;
    if (t >= rows) return;
    const int pair = static_cast<int>(i - t * pairs), head = pair / half, d = pair - head * half;
    const float cos = table[t * 2 * half + d], sin = table[t * 2 * half + half + d];
    float *first = x + t * row_stride + head * head_stride + d, *second = first + half;
    const float a = *first, b = *second;
    *first = a * cos - b * sin;
    *second = b * cos + a * sin;
  }
};

}  // namespace

void rope_table(int64_t first, int64_t rows, int64_t half, const float* inv_freq, float factor, float* table) {
  launch<kThreads>("RopeTable::prepare", MakeTable{first, rows, static_cast<int>(half), inv_freq, factor, table},
                   grid_of(ceil_div(rows * half, kThreads)));
}

void apply_rope(const RopeTable& table, TensorView<float, 3> x) {
  const int64_t rows = x.extent[0], half = x.extent[2] / 2, pairs = x.extent[1] * half;
  launch<kThreads>(
      "apply_rope",
      Rotate{table.cos(0), static_cast<int>(half), static_cast<int>(pairs), rows, x.data, x.stride[0], x.stride[1]},
      grid_of(ceil_div(rows * pairs, kThreads)));
}

}  // namespace sala::ops::cuda
