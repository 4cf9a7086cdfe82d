#include "sim/ops/rope/rope_tiles.h"
#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {

void rope_token(const float* cos, const float* sin, int64_t half, float* x, int64_t heads, int64_t stride) {
  for (int64_t h = 0; h < heads; ++h) {
    float *first = x + h * stride, *second = first + half;
    int64_t i = 0;
    for (; i + kLanes <= half; i += kLanes) {
      const F16 a = load(first + i), b = load(second + i), c = load(cos + i), s = load(sin + i);
      store(first + i, sub(mul(a, c), mul(b, s)));
      store(second + i, add(mul(b, c), mul(a, s)));
    }
    const int rest = static_cast<int>(half - i);
    if (rest == 0) continue;
    const F16 a = load_first(first + i, rest), b = load_first(second + i, rest);
    const F16 c = load_first(cos + i, rest), s = load_first(sin + i, rest);
    store_first(first + i, sub(mul(a, c), mul(b, s)), rest);
    store_first(second + i, add(mul(b, c), mul(a, s)), rest);
  }
}

}  // namespace sala::ops::SALA_ISA
