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
SALA_INLINE F16 round_if(bool bf16, F16 a) { return bf16 ? round_bf16(a) : a; }

}  // namespace

void sigmoid_mul_row(const float* gate, float* x, bool bf16, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const F16 divisor = one_plus_exp_minus(get(gate + i));
    put(x + i, bf16 ? round_bf16(mul(get(x + i), round_bf16(div(set1(1.0f), divisor)))) : div(get(x + i), divisor));
  });
}

void silu_mul_row(const float* gate, const float* up, float* out, bool bf16, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const F16 g = get(gate + i);
    put(out + i, round_if(bf16, mul(round_if(bf16, div(g, one_plus_exp_minus(g))), get(up + i))));
  });
}

void add_scaled_row(float* h, const float* a, float r, bool bf16, int64_t n) {
  const F16 factor = set1(r);
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    put(h + i,
        bf16 ? round_bf16(add(round_bf16(mul(factor, get(a + i))), get(h + i))) : fma(factor, get(a + i), get(h + i)));
  });
}

void scale_row(float* x, float factor, bool bf16, int64_t n) {
  const F16 by = set1(factor);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(x + i, round_if(bf16, mul(by, get(x + i)))); });
}

void divide_row(float* x, float divisor, bool bf16, int64_t n) {
  const F16 by = set1(divisor);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(x + i, round_if(bf16, div(get(x + i), by))); });
}

void round_bf16_row(float* x, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(x + i, round_bf16(get(x + i))); });
}

}  // namespace sala::ops::SALA_ISA
