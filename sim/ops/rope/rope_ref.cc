#include "sim/ops/rope/rope_tiles.h"

namespace sala::ops {

void rope_token_ref(const float* cos, const float* sin, int64_t half, float* x, int64_t heads, int64_t stride) {
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < half; ++i) {
      float &first = x[h * stride + i], &second = x[h * stride + half + i];
      const double a = first, b = second;
      first = static_cast<float>(a * cos[i] - b * sin[i]);
      second = static_cast<float>(b * cos[i] + a * sin[i]);
    }
}

}  // namespace sala::ops
