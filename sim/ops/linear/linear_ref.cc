#include "sim/ops/ref_counts.h"

namespace sala::ops {

void linear_ref(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y, int64_t& multiply_adds) {
  for (int64_t t = 0; t < x.extent[0]; ++t)
    for (int64_t n = 0; n < weight.rows(); ++n) {
      double sum = 0;
      for (int64_t k = 0; k < weight.cols(); ++k) sum += static_cast<double>(x[t][k]) * weight.at(n, k), ++multiply_adds;
      y[t][n] = static_cast<float>(sum);
    }
}

void linear_ref(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y) {
  int64_t ignored = 0;
  linear_ref(x, weight, y, ignored);
}

}  // namespace sala::ops
