#include <cmath>

#include "sim/ops/elementwise/elementwise_tiles.h"

namespace sala::ops {

namespace {

float rounded(bool bf16, double x) {
  auto value = static_cast<float>(x);
  if (bf16) round_bf16_ref(&value, 1);
  return value;
}

}  // namespace

void sigmoid_mul_ref(const float* gate, float* x, bool bf16, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double divisor = 1 + std::exp(-static_cast<double>(gate[i]));
    x[i] = bf16 ? rounded(true, static_cast<double>(rounded(true, 1 / divisor)) * x[i]) : static_cast<float>(x[i] / divisor);
  }
}

void silu_mul_ref(const float* gate, const float* up, float* out, bool bf16, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate[i], silu = g / (1 + std::exp(-g));
    out[i] = rounded(bf16, (bf16 ? static_cast<double>(rounded(true, silu)) : silu) * up[i]);
  }
}

void add_scaled_ref(float* h, const float* a, float r, bool bf16, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double product = static_cast<double>(r) * a[i];
    h[i] = rounded(bf16, h[i] + (bf16 ? static_cast<double>(rounded(true, product)) : product));
  }
}

void scale_ref(float* x, float factor, bool bf16, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = rounded(bf16, static_cast<double>(factor) * x[i]);
}

void divide_ref(float* x, float divisor, bool bf16, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = rounded(bf16, x[i] / static_cast<double>(divisor));
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
