// Internal to the op: its tile kernels and its definition.
#pragma once

#include "sim/ops/linear/linear.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

// `rows` rows of x against the panels of `columns` outputs.
struct LinearTile {
  const float* x = nullptr;  // [rows, K]
  int64_t x_stride = 0;
  int64_t rows = 0;
  int64_t K = 0;
  const float* panels = nullptr;  // [ceil(columns / 16), K, 16]
  float* y = nullptr;             // [rows, columns]
  int64_t y_stride = 0;
  int64_t columns = 0;
};
// What a tile may hold at most; the scratch of the kernels is sized for it.
inline constexpr int64_t kLinearTileRows = 112;

SALA_DECLARE_TILE(void linear_tile(const LinearTile& tile))

void linear_ref(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y);

namespace cuda {
void linear(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y);
}

}  // namespace sala::ops
