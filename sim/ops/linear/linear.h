// y = x W^T: every projection of the model (spec section 2, "linear layers"; no biases).
#pragma once

#include <cstdint>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// A weight [N, K] copied once into panels of 16 outputs: panel p holds W[16p .. 16p+15] as [K, 16], so that a kernel reads
// it front to back. Outputs beyond N are zero.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // In the layout of the context's kernels, on its device. w: [N, K] float32 in host memory. Throws Error{kShape} when an
  // extent is negative or rows overlap. Cost: one copy.
  PackedMatrix(const Context& context, TensorView<const float, 2> w);

  int64_t rows() const { return rows_; }  // N
  int64_t cols() const { return cols_; }  // K
  int64_t bytes() const { return packed_.bytes(); }
  const float* panel(int64_t index) const { return packed_.data() + index * cols_ * kPanel; }
  float at(int64_t n, int64_t k) const { return panel(n / kPanel)[k * kPanel + n % kPanel]; }

  static constexpr int64_t kPanel = 16;

 private:
  int64_t rows_ = 0, cols_ = 0;
  Buffer<float> packed_;  // [ceil(N / 16), K, 16]
};

// x: [T, K] float32; weight: [N, K]; y: [T, N], must not overlap x. Rows may be strided.
//   y[t][n] = sum over k of x[t][k] * W[n][k]
// fp32 class: one chain of fused multiply-adds over ascending k from zero, the same on every instruction set and for any
// split of the rows into calls. Throws Error{kShape} when extents disagree. Cost: 2 T N K FLOP, no heap.
void linear(const Context& context, TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y);

}  // namespace sala::ops
