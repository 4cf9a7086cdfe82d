#include <algorithm>
#include <cmath>

#include "sim/ops/elementwise/elementwise_tiles.h"

namespace sala::ops {

namespace {

float to_bf16(double x) {
  auto value = static_cast<float>(x);
  round_bf16_ref(&value, 1);
  return value;
}
float rounded(Numerics numerics, double x) { return numerics == Numerics::kBf16 ? to_bf16(x) : static_cast<float>(x); }
// Between two steps: not rounded at all in the fp32 class.
double between(Numerics numerics, double x) { return numerics == Numerics::kBf16 ? static_cast<double>(to_bf16(x)) : x; }

}  // namespace

void sigmoid_mul_ref(const float* gate, float* x, Numerics numerics, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double divisor = 1 + std::exp(-static_cast<double>(gate[i]));
    x[i] = numerics == Numerics::kBf16 ? to_bf16(static_cast<double>(to_bf16(1 / divisor)) * x[i])
                                       : static_cast<float>(x[i] / divisor);
  }
}

void silu_mul_ref(const float* gate, const float* up, float* out, Numerics numerics, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate[i], silu = g / (1 + std::exp(-g));
    out[i] = rounded(numerics, between(numerics, silu) * up[i]);
  }
}

void add_scaled_ref(float* h, const float* a, float r, Numerics numerics, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    h[i] = rounded(numerics, h[i] + between(numerics, static_cast<double>(r) * a[i]));
  }
}

void scale_ref(float* x, float factor, Numerics numerics, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = rounded(numerics, static_cast<double>(factor) * x[i]);
}

void divide_ref(float* x, float divisor, Numerics numerics, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = rounded(numerics, x[i] / static_cast<double>(divisor));
}

// A bfloat16 has 8 significant bits; the smallest exponent of a normal one is -126.
void round_bf16_ref(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i]) || x[i] == 0) continue;
    const int exponent = std::ilogb(x[i]) < -126 ? -126 : std::ilogb(x[i]);
    x[i] = static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(x[i]), 7 - exponent)), exponent - 7));
  }
}

bool finite_ref(const float* x, int64_t n) {
  return std::all_of(x, x + n, [](float value) { return std::isfinite(value); });
}

}  // namespace sala::ops
