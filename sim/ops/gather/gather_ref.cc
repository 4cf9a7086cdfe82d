#include "sim/ops/elementwise/elementwise_tiles.h"
#include "sim/ops/gather/gather_tiles.h"

namespace sala::ops {

void embed_ref(const float* row, float factor, Numerics numerics, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(static_cast<double>(factor) * row[i]);
  if (numerics == Numerics::kBf16) round_bf16_ref(out, n);
}

}  // namespace sala::ops
