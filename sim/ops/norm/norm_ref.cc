#include <cmath>

#include "sim/ops/elementwise/elementwise_tiles.h"
#include "sim/ops/norm/norm_tiles.h"

namespace sala::ops {

void norm_ref(const NormTile& tile) {
  const bool bf16 = tile.numerics == Numerics::kBf16;
  for (int64_t t = 0; t < tile.rows; ++t) {
    const float* x = tile.x + t * tile.x_stride;
    float* y = tile.y + t * tile.y_stride;
    double squares = 0;
    for (int64_t n = 0; n < tile.N; ++n) squares += static_cast<double>(x[n]) * x[n];
    const double factor = 1 / std::sqrt(squares / static_cast<double>(tile.N) + static_cast<double>(tile.eps));
    for (int64_t n = 0; n < tile.N; ++n) {
      float normalised = static_cast<float>(x[n] * factor);
      if (bf16) round_bf16_ref(&normalised, 1);
      y[n] = static_cast<float>((bf16 ? normalised : x[n] * factor) * tile.w[n]);
    }
    if (bf16) round_bf16_ref(y, tile.N);
  }
}

}  // namespace sala::ops
