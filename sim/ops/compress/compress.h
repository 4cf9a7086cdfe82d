// Key compression of InfLLM-V2 (spec 4.3): means of neighbouring keys, the search keys of block selection.
#pragma once

#include "sala/core/numerics.h"
#include "sala/core/tensor.h"
#include "sim/ops/packed_keys/packed_keys.h"

namespace sala::ops {

struct Context;
struct Workers;

struct CompressParams {
  int kernel = 32;  // tokens averaged into one key
  int stride = 16;  // tokens between the starts of two windows; at most kernel
};

// Feeds on keys as they come and emits out[j][g] = mean(k[stride * j .. stride * j + kernel - 1][g]) for every window that
// is complete; windows that are not are kept in a tail of at most kernel - 1 keys. The mean adds in fp32 in ascending order
// and divides once; in the bf16 class it is rounded to bfloat16. Any split of the keys into calls gives the same bytes.
class KeyCompressor {
 public:
  // Throws Error{kConfig} unless 1 <= stride <= kernel, Error{kShape} for extents below 1.
  KeyCompressor(int64_t kv_heads, int64_t dim, CompressParams params, Device& device = cpu_device());
  // k: [T, Hkv, D], the keys after those appended so far. Throws Error{kShape} when extents disagree or `out` has no room.
  void append(const Context& context, TensorView<const float, 3> k, PackedKeys& out);
  void clear() { kept_ = 0; }
  int64_t bytes() const { return tail_.bytes(); }

 private:
  // means: [count, Hkv * D] of the windows from `first` on.
  void average(const Context& context, TensorView<const float, 3> k, int64_t first, int64_t count, float* means) const;
  void keep(const Context& context, TensorView<const float, 3> k, int64_t from);
  void move_tail(const Context& context, TensorView<const float, 3> k, int64_t from);

  int64_t kv_heads_, dim_, kernel_, stride_;
  int64_t kept_ = 0;    // keys in the tail; the first one starts the next window
  Buffer<float> tail_;  // [kernel, Hkv * D]
};

// What append() of at most so many rows takes from the workspace.
int64_t compress_scratch_bytes(int64_t rows, int64_t kv_heads, int64_t dim, CompressParams params, const Workers& workers);

// The definition: all complete windows of k [T, Hkv, D] in double. out: [max(0, (T - kernel) / stride + 1), Hkv, D].
void compress_ref(TensorView<const float, 3> k, CompressParams params, Numerics numerics, TensorView<float, 3> out);

}  // namespace sala::ops
