// Internal to the op: one row of each step, and its definition.
#pragma once

#include <cstdint>
#include <span>

#include "sala/core/numerics.h"
#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

SALA_DECLARE_TILE(void sigmoid_mul_row(const float* gate, float* x, Numerics numerics, int64_t n);
                  void silu_mul_row(const float* gate, const float* up, float* out, Numerics numerics, int64_t n);
                  void add_scaled_row(float* h, const float* a, float r, Numerics numerics, int64_t n);
                  void scale_row(float* x, float factor, Numerics numerics, int64_t n);
                  void divide_row(float* x, float divisor, Numerics numerics, int64_t n);
                  void round_bf16_row(float* x, int64_t n); bool finite_row(const float* x, int64_t n))

void sigmoid_mul_ref(const float* gate, float* x, Numerics numerics, int64_t n);
void silu_mul_ref(const float* gate, const float* up, float* out, Numerics numerics, int64_t n);
void add_scaled_ref(float* h, const float* a, float r, Numerics numerics, int64_t n);
void scale_ref(float* x, float factor, Numerics numerics, int64_t n);
void divide_ref(float* x, float divisor, Numerics numerics, int64_t n);
void round_bf16_ref(float* x, int64_t n);
bool finite_ref(const float* x, int64_t n);  // whether all n are

namespace cuda {
void sigmoid_mul(Numerics numerics, TensorView<const float, 2> gate, TensorView<float, 2> x);
void silu_mul(Numerics numerics, TensorView<const float, 2> gate, TensorView<const float, 2> up, TensorView<float, 2> out);
void add_scaled(Numerics numerics, TensorView<float, 2> h, TensorView<const float, 2> a, float r);
void scale(Numerics numerics, float factor, TensorView<float, 2> x);
// Row t by factors[t], host memory; takes a copy of them from the workspace.
void scale_rows(const Context& context, std::span<const float> factors, TensorView<float, 2> x);
void divide(Numerics numerics, float divisor, TensorView<float, 2> x);
void mark_nonfinite(TensorView<const float, 2> x, int32_t mark, TensorView<int32_t, 1> found);
void round_bf16(TensorView<float, 2> x);
}  // namespace cuda

}  // namespace sala::ops
