// Rotary encoding with given frequencies: what "rope" and "yarn" share.
#pragma once

#include <memory>
#include <vector>

#include "sim/ops/rope/rope.h"
#include "sim/posenc/posenc.h"

namespace sala {

// Inverse frequencies [D/2] and the factor on cos and sin.
struct RopeFrequencies {
  std::vector<float> inv_freq;
  float attention_factor = 1;
};

// Keeps one table for chunks and one for single rows, so that decode and probes do not push out the chunk's.
class RotaryEncoding final : public PositionEncoding {
 public:
  // Throws Error{kConfig} for an odd head_dim.
  RotaryEncoding(int64_t head_dim, const RopeFrequencies& frequencies);
  void rotate(const ops::Context& context, int64_t first_position, TensorView<float, 3> x) override;
  int64_t table_bytes(int64_t chunk) const override { return (chunk + 1) * head_dim_ * static_cast<int64_t>(sizeof(float)); }

 private:
  struct Table {
    ops::RopeTable table;
    int64_t first = -1, rows = 0;
  };
  int64_t head_dim_;
  Table chunk_, row_;
};

}  // namespace sala
