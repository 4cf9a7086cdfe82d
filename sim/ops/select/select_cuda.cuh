// Internal to the op: a batch of rows on its way through the CUDA kernels.
#pragma once

#include "sim/ops/select/select_tiles.h"

namespace sala::ops::cuda {

struct Batch {
  SelectShape shape;
  TensorView<const float, 3> q;                    // of the call
  int64_t first_row = 0, count = 0;                // rows of the call that are the batch
  int64_t group = 1;                               // query heads of a KV head
  const float *fine = nullptr, *coarse = nullptr;  // panels of KV head 0; coarse: those that L is taken over
  int64_t fine_stride = 0, coarse_stride = 0, num_fine = 0, num_coarse = 0;
  float scale = 1;
  Numerics numerics = Numerics::kFp32;
  float* parts = nullptr;   // [spans, Hkv, count * group, 2, 16] maxima and sums
  float* lse = nullptr;     // [Hkv, count * group]
  float* scores = nullptr;  // [count, Hkv, scores_stride] P, where it is pooled later
  int64_t scores_stride = 0;
  float* pooled = nullptr;  // [count, Hkv, blocks]
  int64_t pooled_row = 0, pooled_head = 0, pooled_blocks = 0;
  bool wanted = false;       // the pooled scores are the caller's
  int64_t score_blocks = 0;  // of a row of them
  const int32_t* listed = nullptr;
  int64_t num_listed = 0;
  bool preferred = false;
  TensorView<int32_t, 3> blocks;  // of the call

  SALA_HOST_DEVICE bool pooled_here() const { return shape.ratio() == 4 && shape.extra() == 1; }
  SALA_HOST_DEVICE float* pooled_of(int64_t row, int64_t head) const {
    return pooled + row * pooled_row + head * pooled_head;
  }
};

// blocks of every row of the batch, of its pooled scores or, where it needs none, of its place alone.
void choose_blocks(const Batch& batch, int64_t kv_heads);

}  // namespace sala::ops::cuda
