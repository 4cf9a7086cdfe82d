// Internal to the op: its tile kernel and its definition.
#pragma once

#include <cstdint>

#include "sala/core/numerics.h"
#include "sim/ops/norm/norm.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

struct NormTile {
  const float* x = nullptr;  // [rows, N]
  int64_t x_stride = 0;
  int64_t rows = 0, N = 0;
  const float* w = nullptr;  // [N]
  float eps = 0;
  Numerics numerics = Numerics::kFp32;
  float* y = nullptr;  // [rows, N]
  int64_t y_stride = 0;
};

SALA_DECLARE_TILE(void norm_tile(const NormTile& tile))

void norm_ref(const NormTile& tile);

namespace cuda {
void norm(const NormTile& tile);
}

}  // namespace sala::ops
