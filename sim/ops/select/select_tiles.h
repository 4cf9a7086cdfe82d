// Internal to the op: one KV head of a tile of tokens.
#pragma once

#include <cstdint>

#include "sala/core/numerics.h"
#include "sim/ops/host_device.h"
#include "sim/ops/select/select.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

inline constexpr int64_t kLseSpan = 2048;  // keys

// What the rows of a call see and have to read; r counts rows.
struct SelectShape {
  int64_t first = 0, query_step = 1;
  int64_t block_size = 64, kernel_size = 32, kernel_stride = 16, init_blocks = 1, window_blocks = 32, slots = 96;
  bool exact_lse = false;

  SALA_HOST_DEVICE static int64_t windows_up_to(int64_t position, int64_t kernel, int64_t stride) {
    return position + 1 < kernel ? 0 : (position + 1 - kernel) / stride + 1;
  }
  SALA_HOST_DEVICE int64_t position(int64_t r) const { return first + r * query_step; }
  SALA_HOST_DEVICE int64_t own_block(int64_t r) const { return position(r) / block_size; }
  SALA_HOST_DEVICE int64_t visible_fine(int64_t r) const { return windows_up_to(position(r), kernel_size, kernel_stride); }
  SALA_HOST_DEVICE int64_t visible_coarse(int64_t r) const {
    const int64_t factor = exact_lse ? 1 : 4;
    return windows_up_to(position(r), factor * kernel_size, factor * kernel_stride);
  }
  SALA_HOST_DEVICE int64_t first_local(int64_t r) const {
    const int64_t block = own_block(r) - window_blocks;
    return block < 0 ? 0 : block;
  }
  // Forced blocks before the local ones.
  SALA_HOST_DEVICE int64_t init(int64_t r) const {
    const int64_t most = first_local(r);
    return init_blocks < most ? init_blocks : most;
  }
  SALA_HOST_DEVICE int64_t free_slots(int64_t r) const { return slots - init(r) - (own_block(r) - first_local(r) + 1); }
  // Whether the choice, or the wish for scores, needs scores. Once true it stays true for later rows.
  SALA_HOST_DEVICE bool needs_scores(int64_t r, bool wanted) const {
    return visible_coarse(r) > 0 && (wanted || own_block(r) + 1 > slots);
  }
  // Fine windows that block b overlaps are ratio() * b - extra() .. ratio() * (b + 1) - 1.
  SALA_HOST_DEVICE int64_t ratio() const { return block_size / kernel_stride; }
  SALA_HOST_DEVICE int64_t extra() const { return kernel_size / kernel_stride - 1; }
};
static_assert(SelectParams::kCoarse == 4);

// What one token may choose from; the same for all KV heads.
struct SelectRow {
  int64_t first_key, last_key;      // fine keys [first, last) that a block to choose from overlaps
  int64_t first_block, last_block;  // blocks [first, last) to choose from: neither forced nor after the query
  int64_t free_slots;               // how many of them by score
};

struct SelectTask {
  // Row 0 of the tile, first head of the group; group heads side by side.
  const float* q = nullptr;
  int64_t q_row_stride = 0, q_head_stride = 0;
  int64_t tokens = 0, group = 0, dim = 0;
  int64_t together = 1;  // tokens whose scores are held at a time; together * group rows fill whole micro-tiles
  float scale = 1;
  Numerics numerics = Numerics::kFp32;
  const float* fine = nullptr;    // panels of the KV head
  const float* coarse = nullptr;  // those that L is taken over
  int64_t num_fine = 0, num_coarse = 0;
  const int64_t* visible_coarse = nullptr;  // [tokens]
  const SelectRow* rows = nullptr;          // [tokens]
  const uint8_t* barred = nullptr;          // [blocks] 1 = never offered; null = none is
  int64_t ratio = 4, extra = 1;             // block b overlaps the fine windows ratio * b - extra .. ratio * b + ratio - 1
  int64_t first_span = 0, last_span = 0;    // of coarse keys, for select_lse
  int64_t first_block = 0, last_block = 0;  // of each token's blocks only these, for select_score
};

// Running logarithm of a sum of exponentials in 16 lanes; m, z: [rows, 16].
struct LseState {
  float* m = nullptr;
  float* z = nullptr;
};

// Scratch of one tile.
struct SelectScratch {
  float* scores = nullptr;  // [max(6, together * group), 64]
  float* q = nullptr;       // [rows, D], times scale
  float* lse = nullptr;     // [rows], L
  float* base = nullptr;    // [rows], for the upper bounds
  LseState state, span;     // [rows]
};

// The best blocks of one token so far, in no order. Places without a block have score -1 and id INT32_MAX; those behind the
// wanted number are padding, score +inf and id -1.
struct Candidates {
  float* score = nullptr;  // [capacity]
  int32_t* id = nullptr;   // [capacity]
  int64_t capacity = 0;    // a multiple of 16
  float worst = -1;        // smallest score; blocks come in ascending order, so a further one needs more than this
};

// scratch.q = q times scale. Called before the others.
SALA_DECLARE_TILE(void select_scale(const SelectTask& task, float* q))
// Overwrites `state` with the coarse keys of the task's spans.
SALA_DECLARE_TILE(void select_lse(const SelectTask& task, const SelectScratch& scratch, const LseState& state))
SALA_DECLARE_TILE(void select_lse_merge(const LseState& later, const LseState& to, int64_t rows))
// exp(L) of each row is z * exp(m).
SALA_DECLARE_TILE(void select_lse_finish(const LseState& state, int64_t rows, float* m, float* z))
// Offers the task's blocks to each token's candidates. pooled, when not null: the pooled scores of each token [tokens,
// pooled_stride], preset to -inf; then all visible keys are looked at.
SALA_DECLARE_TILE(void select_score(const SelectTask& task, const SelectScratch& scratch, Candidates* candidates,
                                    float* pooled, int64_t pooled_stride))

// One query row, q: [H, D]; blocks: [Hkv, slots]; scores: [Hkv, Nb].
void select_ref(TensorView<const float, 2> q, const PackedKeys& fine, const PackedKeys& coarse, int64_t position,
                const SelectParams& params, Numerics numerics, TensorView<int32_t, 2> blocks, TensorView<float, 2> scores);

// A call on a device. q as it comes; listed: the blocks that are not chosen by score, ids ascending, host memory.
struct SelectCall {
  SelectShape shape;
  TensorView<const float, 3> q;
  const PackedKeys& fine;
  const PackedKeys& coarse;
  float scale = 1;
  std::span<const int32_t> listed;
  bool preferred = false;  // what is listed comes first; else it is barred
  TensorView<int32_t, 3> blocks;
  const TensorView<float, 3>* scores = nullptr;
};

namespace cuda {
void select_blocks(const Context& context, const SelectCall& call);
int64_t select_scratch_bytes(const SelectSize& most, const SelectParams& params);
}  // namespace cuda

}  // namespace sala::ops
