// Causal softmax attention with grouped KV heads: over all keys (spec 4.1) and over the selected blocks of each query
// (spec 4.7).
#pragma once

#include <cstdint>

#include "sala/core/tensor.h"
#include "sim/ops/packed_keys/packed_keys.h"

namespace sala::ops {

struct Context;
struct Workers;

// o[r][h] = softmax over keys j <= first + r of (scale * q[r][h] . k[j][g]) times v[j][g], with g = h / (H / Hkv).
//   q: [R, H, D]; keys: [S, Hkv, D]; values: [S, Hkv, Dv]; o: [R, H, Dv]. Row r is the token at position first + r < S.
//
// Arithmetic, the same for dense and sparse attention. q is multiplied by scale first; a score is one FMA chain over D.
// Keys are taken in tiles of 64 at absolute positions. Within a tile:
//   m = largest score among the keys that the query reads; p[j] = exp(s[j] - m), 0 for the other keys
//   l = p summed in 16 lanes (key mod 16), in each lane (a + b) + (c + d)
//   o = one FMA chain over the 64 keys, ascending; in the bf16 class p is rounded to bfloat16 here
// States (m, l, o) are merged in ascending order, first the tiles of a span of 2048 keys, then the spans; a tile in which a
// query reads nothing is left out: m = max(m1, m2), w1 = exp(m1 - m), w2 = exp(m2 - m), l = fma(l2, w2, l1 * w1), o
// likewise. At the end the lanes of l are added in a tree and o is divided by l.
//
// So a row depends on its own query, keys and blocks alone: not on threads, chunks or neighbours, nor on whether it is a
// prefill or a decode; and sparse attention whose blocks cover all keys gives the bytes of dense attention. Inputs must be
// finite.
//
// Scratch memory (attention_scratch_bytes): 192 rows of q and two states of each for every thread; where there are too few
// tokens to keep threads busy, up to 48 tiles of states (3 MB at 64 dims). Throws Error{kShape} when extents
// disagree, a row lies beyond the keys or scale is not above 0.
void dense_attention(const Context& context, TensorView<const float, 3> q, const PackedKeys& keys, const ValueCache& values,
                     int64_t first, float scale, TensorView<float, 3> o);

// The same over the keys of the selected blocks of block_size keys. blocks: [R, Hkv, slots] ascending ids of blocks that
// start at or before the query, padded with -1. A row without any block gives zeros. Throws Error{kShape} also when
// block_size is below 1 or, where the host reads them, ids are out of order or after their query.
void sparse_attention(const Context& context, TensorView<const float, 3> q, const PackedKeys& keys, const ValueCache& values,
                      int64_t first, int64_t block_size, TensorView<const int32_t, 3> blocks, float scale,
                      TensorView<float, 3> o);

// What either takes from the workspace at most, in calls of at most so many rows and keys.
struct AttentionSize {
  int64_t rows = 0, keys = 0, heads = 0, kv_heads = 0, dim = 0, value_dim = 0;
};
int64_t attention_scratch_bytes(const AttentionSize& most, const Workers& workers);

// What one query of one head reads, for an observer: read[i], the ids of its keys, ascending, and logits[i] = scale * q .
// key[read[i]], not the bytes of the scores above, but equal to them up to rounding: each product of scale * q[d] and a key
// is rounded, then added, d ascending. Returns how many keys there are.
//   q: [D] at `position`; blocks: [slots] of its KV head as above, no data: all keys; read, logits: [position + 1 or more]
// Throws Error{kShape} when extents disagree or a key does not exist.
int64_t attention_logits(const Context& context, TensorView<const float, 1> q, const PackedKeys& keys, int64_t kv_head,
                         int64_t position, int64_t block_size, TensorView<const int32_t, 1> blocks, float scale,
                         TensorView<int64_t, 1> read, TensorView<float, 1> logits);

}  // namespace sala::ops
