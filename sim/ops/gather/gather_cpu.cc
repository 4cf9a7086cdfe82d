#include "sim/ops/gather/gather_tiles.h"
#include "sim/ops/simd-inl.h"

namespace sala::ops::SALA_ISA {

void embed_row(const float* row, float factor, Numerics numerics, float* out, int64_t n) {
  const F16 by = set1(factor);
  for (int64_t i = 0; i < n; i += kLanes) {
    const bool whole = i + kLanes <= n;
    const int rest = static_cast<int>(n - i);
    const F16 value = rounded(numerics, mul(by, whole ? load(row + i) : load_first(row + i, rest)));
    whole ? store(out + i, value) : store_first(out + i, value, rest);
  }
}

}  // namespace sala::ops::SALA_ISA
