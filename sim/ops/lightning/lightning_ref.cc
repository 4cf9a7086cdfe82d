// The recurrence of spec 3.4, one token after the other, in double.
#include <cmath>
#include <vector>

#include "sim/ops/ref_counts.h"

namespace sala::ops {
namespace {

constexpr int64_t kChunk = LightningState::kChunk;

class Recurrence {
 public:
  Recurrence(const LightningTile& tile, int64_t& multiply_adds)
      : tile_(tile), decay_(std::exp(-static_cast<double>(tile.slope))), multiply_adds_(multiply_adds) {
    S_.assign(tile.sum, tile.sum + tile.D * tile.Dv);
  }
  // S = decay * S + k^T v of buffered token i.
  void update(int64_t i) {
    for (int64_t d = 0; d < tile_.D; ++d)
      for (int64_t e = 0; e < tile_.Dv; ++e) {
        double& s = S_[static_cast<std::size_t>(d * tile_.Dv + e)];
        s = decay_ * s + static_cast<double>(tile_.keys[d * kChunk + i]) * tile_.values[i * tile_.Dv + e];
        ++multiply_adds_;
      }
  }
  void read(const float* q, float* o) const {
    for (int64_t e = 0; e < tile_.Dv; ++e) {
      double sum = 0;
      for (int64_t d = 0; d < tile_.D; ++d) sum += q[d] * S_[static_cast<std::size_t>(d * tile_.Dv + e)], ++multiply_adds_;
      o[e] = static_cast<float>(tile_.scale * sum);
    }
  }
  void keep() {
    for (std::size_t i = 0; i < S_.size(); ++i) S_[i] = tile_.sum[i] = static_cast<float>(S_[i]);
  }

 private:
  const LightningTile& tile_;
  double decay_;
  int64_t& multiply_adds_;
  std::vector<double> S_;  // [D, Dv]
};

}  // namespace

void lightning_ref(const LightningTile& tile, int64_t& multiply_adds) {
  Recurrence recurrence(tile, multiply_adds);
  for (int64_t i = 0; i < tile.buffered; ++i) recurrence.update(i);
  for (int64_t t = 0; t < tile.T; ++t) {
    const int64_t i = (tile.buffered + t) % kChunk;
    for (int64_t d = 0; d < tile.D; ++d) tile.keys[d * kChunk + i] = tile.k[t * tile.k_stride + d];
    for (int64_t e = 0; e < tile.Dv; ++e) tile.values[i * tile.Dv + e] = tile.v[t * tile.v_stride + e];
    recurrence.update(i);
    if (tile.q != nullptr) recurrence.read(tile.q + t * tile.q_stride, tile.o + t * tile.o_stride);
    if (i == kChunk - 1) recurrence.keep();
  }
}

void lightning_ref(const LightningTile& tile) {
  int64_t ignored = 0;
  lightning_ref(tile, ignored);
}

}  // namespace sala::ops
