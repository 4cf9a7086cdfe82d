// Elementary functions in double from additions, multiplications and divisions alone. C libraries differ in the last bit
// (also between instruction sets of one library); these give the same bits everywhere. Relative error below 4e-16 in their
// range.
#pragma once

#include <cmath>

#include "sim/ops/host_device.h"

namespace sala::ops {

// Of |x| < 2^51, ties to even.
SALA_HOST_DEVICE inline double nearest_integer(double x) {
  constexpr double kMagic = 0x1.8p52;
  return (x + kMagic) - kMagic;
}

struct SinCos {
  double sin, cos;
};

// Of |x| <= 2^22. Subtracts the nearest multiple of pi/2 in three parts of which the first two multiply exactly, then sums
// the power series on |r| <= pi/4.
SALA_HOST_DEVICE inline SinCos sin_cos(double x) {
  constexpr double kTwoOverPi = 0.63661977236758134308;
  constexpr double kHigh = 0x1.921fb54p+0, kMiddle = 0x1.10b4611p-30, kLow = 0x1.4c4c6628b80dcp-59;
  const double n = nearest_integer(x * kTwoOverPi);
  const double r = ((x - n * kHigh) - n * kMiddle) - n * kLow;
  const double z = r * r;
  double s = 1.0 / 355687428096000.0, c = 1.0 / 20922789888000.0;  // 1 / 17!, 1 / 16!
  s = s * z - 1.0 / 1307674368000.0, c = c * z - 1.0 / 87178291200.0;
  s = s * z + 1.0 / 6227020800.0, c = c * z + 1.0 / 479001600.0;
  s = s * z - 1.0 / 39916800.0, c = c * z - 1.0 / 3628800.0;
  s = s * z + 1.0 / 362880.0, c = c * z + 1.0 / 40320.0;
  s = s * z - 1.0 / 5040.0, c = c * z - 1.0 / 720.0;
  s = s * z + 1.0 / 120.0, c = c * z + 1.0 / 24.0;
  s = s * z - 1.0 / 6.0, c = c * z - 0.5;
  s = r + r * (z * s);
  c = 1.0 + z * c;
  const int quadrant = static_cast<int>(n) & 3;
  const double a = (quadrant & 1) != 0 ? c : s, b = (quadrant & 1) != 0 ? s : c;
  return {(quadrant & 2) != 0 ? -a : a, quadrant == 1 || quadrant == 2 ? -b : b};
}

// e^x for x <= 700, 0 below -700: 2^n times the power series on |r| <= ln(2) / 2.
SALA_HOST_DEVICE inline double exp_exact(double x) {
  constexpr double kLog2E = 1.44269504088896340736;
  constexpr double kHigh = 0x1.62e42feep-1, kLow = 0x1.a39ef35793c76p-33;
  if (x < -700) return 0;
  const double n = nearest_integer(x * kLog2E);
  const double r = (x - n * kHigh) - n * kLow;
  double p = 1.0;
  for (int i = 14; i > 0; --i) p = 1.0 + p * r / i;
  return std::ldexp(p, static_cast<int>(n));
}

// x to the nearest value of eight significant bits, ties to even: bfloat16 but for its range.
inline double round_to_bf16(double x) {
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  return std::ldexp(nearest_integer(std::ldexp(fraction, 8)), exponent - 8);
}

// ln(x) of x >= 2^-1022.
SALA_HOST_DEVICE inline double log_exact(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) m *= 2, --exponent;
  const double t = (m - 1) / (m + 1), square = t * t;  // ln(m) = 2 (t + t^3 / 3 + t^5 / 5 + ...), |t| < 0.172
  double sum = 1.0 / 23;
  for (int n = 21; n > 0; n -= 2) sum = sum * square + 1.0 / n;
  return exponent * 0.69314718055994530942 + 2 * t * sum;
}

}  // namespace sala::ops
