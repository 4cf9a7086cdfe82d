#include <cmath>

#include "sala/core/error.h"
#include "sim/ops/compress/compress.h"

namespace sala::ops {

void compress_ref(TensorView<const float, 3> k, CompressParams params, Numerics numerics, TensorView<float, 3> out) {
  for (int64_t j = 0; j < out.extent[0]; ++j)
    for (int64_t g = 0; g < out.extent[1]; ++g)
      for (int64_t d = 0; d < out.extent[2]; ++d) {
        double sum = 0;
        for (int64_t i = 0; i < params.kernel; ++i) sum += k[j * params.stride + i][g][d];
        double mean = sum / params.kernel;
        if (numerics == Numerics::kBf16) {
          int exponent = 0;
          const double fraction = std::frexp(mean, &exponent);
          mean = std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
        }
        out[j][g][d] = static_cast<float>(mean);
      }
}

}  // namespace sala::ops
