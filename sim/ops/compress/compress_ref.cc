#include "sim/ops/compress/compress.h"
#include "sim/ops/exact_math.h"

namespace sala::ops {

void compress_ref(TensorView<const float, 3> k, CompressParams params, Numerics numerics, TensorView<float, 3> out) {
  for (int64_t j = 0; j < out.extent[0]; ++j)
    for (int64_t g = 0; g < out.extent[1]; ++g)
      for (int64_t d = 0; d < out.extent[2]; ++d) {
        double sum = 0;
        for (int64_t i = 0; i < params.kernel; ++i) sum += k[j * params.stride + i][g][d];
        const double mean = sum / params.kernel;
        out[j][g][d] = static_cast<float>(numerics == Numerics::kBf16 ? round_to_bf16(mean) : mean);
      }
}

}  // namespace sala::ops
