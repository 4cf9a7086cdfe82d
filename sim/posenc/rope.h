// Rotary encoding with given frequencies: what "rope" and "yarn" share.
#pragma once

#include <memory>

#include "sim/ops/rope/rope.h"
#include "sim/posenc/posenc.h"

namespace sala {

// Keeps one table for chunks and one for single rows, so that decode and probes do not push out the chunk's.
class RotaryEncoding final : public PositionEncoding {
 public:
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
