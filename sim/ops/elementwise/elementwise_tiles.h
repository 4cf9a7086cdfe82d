// Internal to the op: one row of each step, and its definition.
#pragma once

#include <cstdint>

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

}  // namespace sala::ops
