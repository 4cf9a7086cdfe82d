#include "sim/ops/elementwise/elementwise_tiles.h"
#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {
namespace {

// step(i, lanes): whole vectors first, then the rest.
template <class Step>
SALA_INLINE void for_lanes(int64_t n, const Step& step) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    step(
        i, [](const float* p) { return load(p); }, [](float* p, F16 a) { store(p, a); });
  const int rest = static_cast<int>(n - i);
  if (rest > 0)
    step(
        i, [&](const float* p) { return load_first(p, rest); }, [&](float* p, F16 a) { store_first(p, a, rest); });
}

SALA_INLINE F16 one_plus_exp_minus(F16 g) { return add(set1(1.0f), exp(sub(set1(0.0f), g))); }

}  // namespace

void sigmoid_mul_row(const float* gate, float* x, Numerics numerics, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const F16 divisor = one_plus_exp_minus(get(gate + i));
    put(x + i, numerics == Numerics::kBf16 ? round_bf16(mul(get(x + i), round_bf16(div(set1(1.0f), divisor))))
                                           : div(get(x + i), divisor));
  });
}

void silu_mul_row(const float* gate, const float* up, float* out, Numerics numerics, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const F16 g = get(gate + i);
    put(out + i, rounded(numerics, mul(rounded(numerics, div(g, one_plus_exp_minus(g))), get(up + i))));
  });
}

void add_scaled_row(float* h, const float* a, float r, Numerics numerics, int64_t n) {
  const F16 factor = set1(r);
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    put(h + i, numerics == Numerics::kBf16 ? round_bf16(add(round_bf16(mul(factor, get(a + i))), get(h + i)))
                                           : fma(factor, get(a + i), get(h + i)));
  });
}

void scale_row(float* x, float factor, Numerics numerics, int64_t n) {
  const F16 by = set1(factor);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(x + i, rounded(numerics, mul(by, get(x + i)))); });
}

void divide_row(float* x, float divisor, Numerics numerics, int64_t n) {
  const F16 by = set1(divisor);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(x + i, rounded(numerics, div(get(x + i), by))); });
}

void round_bf16_row(float* x, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(x + i, round_bf16(get(x + i))); });
}

// x - x is 0, and NaN when x is not finite.
bool finite_row(const float* x, int64_t n) {
  F16 sum = set1(0.0f);
  for_lanes(n, [&](int64_t i, auto get, auto) {
    const F16 value = get(x + i);
    sum = add(sum, sub(value, value));
  });
  return reduce_add(sum) == 0;
}

}  // namespace sala::ops::SALA_ISA
