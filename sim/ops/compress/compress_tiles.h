// Internal to the op: its CUDA versions.
#pragma once

#include "sim/ops/compress/compress.h"

namespace sala::ops::cuda {

// Keys in the order of a sequence: `kept` in a tail [kept, Hkv * D], then those of k.
struct CompressInput {
  const float* tail = nullptr;
  int64_t kept = 0;
  TensorView<const float, 3> k;
};

// means: [count, Hkv * D] of windows of `kernel` keys, `stride` apart, from number `first` on.
void compress_means(const CompressInput& in, int64_t kernel, int64_t stride, Numerics numerics, int64_t first, int64_t count,
                    float* means);
// The tail becomes the keys from `from` on.
void compress_keep(const CompressInput& in, int64_t from, float* tail);

}  // namespace sala::ops::cuda
