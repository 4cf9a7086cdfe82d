#include <cmath>

#include "sim/ops/elementwise/elementwise_tiles.h"

namespace sala::ops {

void sigmoid_mul_ref(const float* gate, float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(x[i] / (1 + std::exp(-static_cast<double>(gate[i]))));
}

void silu_mul_ref(const float* gate, const float* up, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate[i];
    out[i] = static_cast<float>(g / (1 + std::exp(-g)) * up[i]);
  }
}

void add_scaled_ref(float* h, const float* a, float r, int64_t n) {
  for (int64_t i = 0; i < n; ++i) h[i] = static_cast<float>(h[i] + static_cast<double>(r) * a[i]);
}

void scale_ref(float* x, float factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(static_cast<double>(factor) * x[i]);
}

// A bfloat16 has 8 significant bits; the smallest exponent of a normal one is -126.
void round_bf16_ref(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i]) || x[i] == 0) continue;
    const int exponent = std::ilogb(x[i]) < -126 ? -126 : std::ilogb(x[i]);
    x[i] = static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(x[i]), 7 - exponent)), exponent - 7));
  }
}

}  // namespace sala::ops
