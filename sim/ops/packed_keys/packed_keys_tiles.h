// Internal to the op: its CUDA versions.
#pragma once

#include "sim/ops/packed_keys/packed_keys.h"

namespace sala::ops::cuda {

// The keys or values behind the first `size`, into the memory of a cache whose heads lie head_stride floats apart.
void append_keys(TensorView<const float, 3> k, int64_t size, int64_t head_stride, float* to);
void append_values(TensorView<const float, 3> v, int64_t size, int64_t head_stride, float* to);

}  // namespace sala::ops::cuda
