// Block selection of InfLLM-V2 (spec 4.4 to 4.6): which blocks of keys each query reads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sala/core/tensor.h"
#include "sim/ops/packed_keys/packed_keys.h"

namespace sala::ops {

struct Context;
struct Workers;

// Named as in sparse_config.
struct SelectParams {
  int64_t block_size = 64, kernel_size = 32, kernel_stride = 16, init_blocks = 1, window_size = 2048, topk = 64;
  float scale = 1;         // of the scores; above 0
  bool exact_lse = false;  // normalise over the fine keys instead of the coarse ones
  int64_t query_step = 1;  // tokens between two queries

  // The slots that forced blocks leave free take the best scores of the visible blocks that are not forced. At most one of
  // these changes that; ids from 0 on, ascending, no repeats.
  std::span<const int32_t> preferred;  // first these, the lowest ids where they are more than the slots
  std::span<const int32_t> barred;     // never these; slots stay empty where there are no others
  std::optional<uint64_t> draw;        // blocks drawn uniformly, without repeats, all of them where they are fewer than the
                                       // slots: by this seed, the query's position and the KV head alone

  static constexpr int64_t kCoarse = 4;  // coarse windows are four times as long and as far apart (spec 4.2)
  int64_t slots() const { return topk + window_size / block_size; }
  int64_t forced_blocks() const { return init_blocks + window_size / block_size + 1; }
};

// For the query at position t = first + r * query_step, each KV head g and its query heads h, with s[h][j] = scale * q[r][h]
// . key[j][g]:
//   L[h] = ln sum_j exp(s[h][j]) over the visible coarse keys; a window is visible when its last token is <= t
//   P[j] = sum over h of exp(min(s[h][j] - L[h], 80)) over the visible fine keys; the 80 keeps it finite
//   score[b] = max of P[j] over the visible fine windows that overlap block b; -inf where there is none
//   forced: score = +inf for b < init_blocks, the block of t and the window_size / block_size blocks before it
// blocks[r][g] = the slots() visible blocks (b <= t / block_size) with the largest scores, ascending, padded with -1.
// preferred, barred and draw say who comes between the forced ones and the best; the scores stay as they are. Ties: the
// lower id wins. While no coarse key is visible every visible block has score +inf; forced ones still come first.
//
//   q: [R, H, D]; fine, coarse: compressed keys [n, Hkv, D], complete for the last position; blocks: [R, Hkv, slots()];
//   scores, when wanted: [R, Hkv, Nb] pooled scores as above, -inf for blocks after the query.
//
// Arithmetic: q is multiplied by scale first; a score is one FMA chain over D. For L the keys are taken in tiles of 64: 16
// lanes (key mod 16) keep a running maximum m and a sum z, z = fma(z, exp(m - m'), (e0 + e1) + (e2 + e3)), e = exp(s - m');
// states of spans of 2048 keys are merged in order, then the lanes in a tree; L = m + ln(z) in double, rounded once.
// P adds its heads ascending. So a row depends on its own query alone: not on threads, chunks or neighbours.
//
// What cannot be among the best is not computed: a window's exponentials are taken only if an upper bound of P exceeds the
// worst block kept so far. No score matrix is stored. Scratch memory (select_scratch_bytes): 96 rows of q, of normaliser
// states and of candidates for each thread; where there are too few tokens to keep threads busy, these for each of at most
// 16 tiles and every span of coarse keys (some MB at 2 million tokens). Throws Error{kShape} when extents
// disagree or keys are missing, Error{kConfig} when the parameters contradict each other or slots() < forced_blocks().
void select_blocks(const Context& context, TensorView<const float, 3> q, const PackedKeys& fine, const PackedKeys& coarse,
                   int64_t first, const SelectParams& params, TensorView<int32_t, 3> blocks,
                   const TensorView<float, 3>* scores = nullptr);

// What a call takes from the workspace at most, with at most so many rows at positions below `tokens`.
struct SelectSize {
  int64_t rows = 0, tokens = 0, heads = 0, kv_heads = 0, dim = 0;
};
int64_t select_scratch_bytes(const SelectSize& most, const SelectParams& params, const Workers& workers);

// `count` different blocks of [begin, end), ascending; all of them when they are no more. Floyd's algorithm on
// Rng(seed, "select", position, head).
std::vector<int32_t> random_blocks(uint64_t seed, int64_t position, int64_t head, int64_t begin, int64_t end, int64_t count);

}  // namespace sala::ops
