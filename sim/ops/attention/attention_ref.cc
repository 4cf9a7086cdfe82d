#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/ops/exact_math.h"
#include "sim/ops/ref_counts.h"

namespace sala::ops {
namespace {

// Keys that the query reads, ascending.
std::vector<int64_t> keys_read(int64_t position, int64_t block_size, TensorView<const int32_t, 2> blocks, int64_t head) {
  std::vector<int64_t> keys;
  if (blocks.data == nullptr)
    for (int64_t j = 0; j <= position; ++j) keys.push_back(j);
  else
    for (int64_t s = 0; s < blocks.extent[1] && blocks[head][s] >= 0; ++s)
      for (int64_t j = blocks[head][s] * block_size; j < (blocks[head][s] + 1) * block_size && j <= position; ++j)
        keys.push_back(j);
  return keys;
}

// Probabilities are rounded relative to the largest score of their tile, as the tile kernels do. They are 0 or far above
// the smallest normal number for every key that matters.
void round_probabilities(const std::vector<int64_t>& keys, const std::vector<double>& scores, double largest,
                         std::vector<double>& p) {
  for (size_t begin = 0, end = 0; begin < keys.size(); begin = end) {
    double tile_largest = scores[begin];
    for (end = begin; end < keys.size() && keys[end] / kAttendTile == keys[begin] / kAttendTile; ++end)
      tile_largest = std::max(tile_largest, scores[end]);
    for (size_t i = begin; i < end; ++i)
      p[i] = round_to_bf16(std::exp(scores[i] - tile_largest)) * std::exp(tile_largest - largest);
  }
}

}  // namespace

void attend_ref(TensorView<const float, 2> q, const PackedKeys& keys, const ValueCache& values, int64_t position,
                int64_t block_size, TensorView<const int32_t, 2> blocks, float scale, Numerics numerics,
                TensorView<float, 2> o, int64_t& multiply_adds) {
  const int64_t group = q.extent[0] / keys.kv_heads();
  for (int64_t h = 0; h < q.extent[0]; ++h) {
    const int64_t g = h / group;
    const std::vector<int64_t> read = keys_read(position, block_size, blocks, g);
    std::vector<double> scores;
    double largest = -INFINITY, sum = 0;
    for (const int64_t j : read) {
      double dot = 0;
      for (int64_t d = 0; d < keys.dim(); ++d) dot += static_cast<double>(q[h][d]) * keys.at(j, g, d), ++multiply_adds;
      scores.push_back(scale * dot);
      largest = std::max(largest, scores.back());
    }
    std::vector<double> p;
    for (const double score : scores) {
      p.push_back(std::exp(score - largest));
      sum += p.back();
    }
    if (numerics == Numerics::kBf16) round_probabilities(read, scores, largest, p);
    for (int64_t d = 0; d < values.dim(); ++d) {
      double weighted = 0;
      for (size_t i = 0; i < read.size(); ++i) weighted += p[i] * values.at(read[i], g, d), ++multiply_adds;
      o[h][d] = read.empty() ? 0.0f : static_cast<float>(weighted / sum);
    }
  }
}

void attend_ref(TensorView<const float, 2> q, const PackedKeys& keys, const ValueCache& values, int64_t position,
                int64_t block_size, TensorView<const int32_t, 2> blocks, float scale, Numerics numerics,
                TensorView<float, 2> o) {
  int64_t ignored = 0;
  attend_ref(q, keys, values, position, block_size, blocks, scale, numerics, o, ignored);
}

void attend_logits_ref(TensorView<const float, 1> q, const PackedKeys& keys, int64_t kv_head,
                       TensorView<const int64_t, 1> read, float scale, float* logits) {
  for (int64_t i = 0; i < read.extent[0]; ++i) {
    double dot = 0;
    for (int64_t d = 0; d < keys.dim(); ++d) dot += static_cast<double>(q[d]) * keys.at(read[i], kv_head, d);
    logits[i] = static_cast<float>(scale * dot);
  }
}

}  // namespace sala::ops
