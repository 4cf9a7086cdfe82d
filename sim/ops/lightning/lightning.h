// Lightning attention: linear attention with a fixed decay per head (spec section 3; arXiv 2405.17381; Hugging Face
// `LightningAttention`).
#pragma once

#include <cstdint>
#include <span>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;
struct Workers;

// What one sequence leaves behind in one layer. The chunks of the chunkwise form stand at absolute positions (multiples of
// 64 tokens since the start), whatever the calls: the sum covers the chunks that are complete, the keys and values of the
// one that is not are kept beside it.
class LightningState {
 public:
  static constexpr int64_t kChunk = 64;

  LightningState() = default;
  // Throws Error{kShape} when an extent is below 1.
  LightningState(int64_t heads, int64_t key_dim, int64_t value_dim, Device& device = cpu_device());

  int64_t heads() const { return heads_; }
  int64_t key_dim() const { return key_dim_; }
  int64_t value_dim() const { return value_dim_; }
  int64_t tokens() const { return tokens_; }             // seen since the start
  int64_t buffered() const { return tokens_ % kChunk; }  // of the incomplete chunk
  int64_t bytes() const { return memory_.bytes(); }
  // S of head h at the end of the last complete chunk: [D, Dv], row index = key dimension; in the state's memory.
  TensorView<const float, 2> sum(int64_t h) const { return make_view(head(h), key_dim_, value_dim_); }
  // Back to the start of a sequence; keeps the memory.
  void reset();

 private:
  friend struct LightningAccess;  // of the kernels
  // Of one head: S [D, Dv], the buffered keys transposed [D, 64], the buffered values [64, Dv].
  int64_t head_size() const { return key_dim_ * value_dim_ + kChunk * (key_dim_ + value_dim_); }
  const float* head(int64_t h) const { return memory_.data() + h * head_size(); }

  int64_t heads_ = 0, key_dim_ = 0, value_dim_ = 0, tokens_ = 0;
  Buffer<float> memory_;  // [H, head_size]
};

// Appends T tokens to the state and reads it. q, k: [T, H, D]; v, o: [T, H, Dv]; float32, rows and heads may be strided;
// slopes: [H], at least 0; o must not overlap the inputs.
//   S[t] = exp(-slope) S[t-1] + k[t]^T v[t],   o[t] = scale * q[t] S[t] (spec 3.4)
// computed in chunks (spec 3.5): with i the place in the chunk, S the state before it, and decays rounded from double,
//   o[i] = scale * (exp(-s (i+1)) * (q[i] S) + sum over j <= i of ((q[i] . k[j]) * exp(-s (i-j))) v[j])
//   S    = exp(-64 s) * S + sum over j of (k[j] * exp(-s (63-j)))^T v[j]
// fp32 class: every product a fused chain over its ascending index, the sum over j continuing the one of q S. Any split of a
// sequence into calls, one token at a time included, gives the same bytes. `ref` is the recurrence in double; only its state
// is float32, at the end of each chunk. Throws Error{kShape} when extents disagree, Error{kConfig} for a slope that is not
// at least 0. Cost: T H (2 D Dv + 2 D Dv + (i+1) 2 (D + Dv)) FLOP; no heap.
void lightning(const Context& context, TensorView<const float, 3> q, TensorView<const float, 3> k,
               TensorView<const float, 3> v, std::span<const float> slopes, float scale, LightningState& state,
               TensorView<float, 3> o);

// What either takes from the workspace at most, in calls of at most so many rows: nothing on the CPU; elsewhere the sums in
// front of every chunk, which all chunks of a call read side by side.
int64_t lightning_scratch_bytes(int64_t rows, int64_t heads, int64_t key_dim, int64_t value_dim, const Workers& workers);

// The same without reading: the state gets the same bytes.
void lightning_update(const Context& context, TensorView<const float, 3> k, TensorView<const float, 3> v,
                      std::span<const float> slopes, LightningState& state);

}  // namespace sala::ops
