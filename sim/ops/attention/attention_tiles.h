// Internal to the op: one KV head of a tile of tokens.
#pragma once

#include <cstdint>

#include "sala/core/numerics.h"
#include "sim/ops/attention/attention.h"
#include "sim/ops/tiles.h"

namespace sala::ops {

inline constexpr int64_t kAttendTile = 64;                // keys
inline constexpr int64_t kAttendSpan = 32 * kAttendTile;  // keys

struct AttendTask {
  // Row 0 of the tile, first head of the group; group heads side by side.
  const float* q = nullptr;
  int64_t q_row_stride = 0, q_head_stride = 0;
  int64_t tokens = 0, group = 0, dim = 0, value_dim = 0;
  int64_t position = 0;           // of row 0
  const float* panels = nullptr;  // of the KV head
  const float* values = nullptr;
  int64_t num_keys = 0;
  const int32_t* blocks = nullptr;  // of row 0 and the KV head; null = all keys
  int64_t blocks_row_stride = 0, slots = 0, block_size = 0;
  int64_t first_span = 0, last_span = 0;  // keys [first_span, last_span) * kAttendSpan only
  float scale = 1;
  Numerics numerics = Numerics::kFp32;

  int64_t rows() const { return tokens * group; }
};

// States of rows (token, head): m [rows], l [rows, 16], o [rows, value_dim rounded up to 16].
struct AttendState {
  float* m = nullptr;
  float* l = nullptr;
  float* o = nullptr;
  int64_t o_stride = 0;

  static int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }
  static int64_t floats(int64_t rows, int64_t value_dim) { return padded(rows) + rows * (16 + padded(value_dim)); }
  AttendState() = default;
  AttendState(float* memory, int64_t rows, int64_t value_dim)
      : m(memory), l(m + padded(rows)), o(l + rows * 16), o_stride(padded(value_dim)) {}
};

// Scaled queries and the state of the running span of a tile; where each row and token stands.
struct AttendScratch {
  static int64_t floats(int64_t tokens, int64_t group, int64_t dim, int64_t value_dim) {
    const int64_t rows = tokens * group;
    return AttendState::padded(rows * dim) + AttendState::floats(rows, value_dim) + AttendState::padded(rows) +
           5 * AttendState::padded(tokens);
  }
  AttendScratch(float* memory, const AttendTask& task) {
    const int64_t rows = task.rows();
    q = memory;
    span = AttendState(q + AttendState::padded(rows * task.dim), rows, task.value_dim);
    row_span = reinterpret_cast<int32_t*>(span.o + rows * span.o_stride);
    next_tile = row_span + AttendState::padded(rows);
    slot = next_tile + AttendState::padded(task.tokens);
    reader = slot + AttendState::padded(task.tokens);
    keys = reinterpret_cast<uint64_t*>(reader + AttendState::padded(task.tokens));
  }
  float* q;            // [rows, D]
  AttendState span;    // of each row's running span
  int32_t* row_span;   // [rows] which span that is, -1 = none
  int32_t* next_tile;  // [tokens] tile that the token reads next
  int32_t* slot;       // [tokens] first block that the token has not read to the end
  int32_t* reader;     // [tokens] the tokens that read the current tile
  uint64_t* keys;      // [tokens] and which of its keys
};

// Overwrites `state` with what the rows read within the task's spans.
SALA_DECLARE_TILE(void attend(const AttendTask& task, const AttendScratch& scratch, const AttendState& state))
// to = merge(to, later) for each row.
SALA_DECLARE_TILE(void attend_merge(const AttendTask& task, const AttendState& later, const AttendState& to))
// out[token][head] = o / l, zeros where nothing was read.
SALA_DECLARE_TILE(void attend_finish(const AttendTask& task, const AttendState& state, float* out, int64_t row_stride,
                                     int64_t head_stride))

// logits[i] of one query and the keys read[0 .. count).
SALA_DECLARE_TILE(void attend_logits(const float* q, float scale, const float* panels, int64_t dim, const int64_t* read,
                                     int64_t count, float* logits))
void attend_logits_ref(TensorView<const float, 1> q, const PackedKeys& keys, int64_t kv_head,
                       TensorView<const int64_t, 1> read, float scale, float* logits);

// One query row of all heads, q: [H, D], o: [H, Dv]. blocks: [Hkv, slots] or no data.
void attend_ref(TensorView<const float, 2> q, const PackedKeys& keys, const ValueCache& values, int64_t position,
                int64_t block_size, TensorView<const int32_t, 2> blocks, float scale, Numerics numerics,
                TensorView<float, 2> o);

// A call of all heads. Positions and blocks as in attention.h; `blocks` without data: all keys.
struct AttendRows {
  TensorView<const float, 3> q;
  const float *keys = nullptr, *values = nullptr;  // of KV head 0
  int64_t key_head_stride = 0, value_head_stride = 0, num_keys = 0, kv_heads = 1, first = 0;
  TensorView<const int32_t, 3> blocks;
  int64_t block_size = 1;
  float scale = 1;
  Numerics numerics = Numerics::kFp32;
  TensorView<float, 3> o;
};

namespace cuda {
void attend(const Context& context, const AttendRows& rows);
int64_t attend_scratch_bytes(const AttentionSize& most);
void attend_logits(const float* q, float scale, const float* panels, int64_t dim, const int64_t* read, int64_t count,
                   float* logits);
}  // namespace cuda

}  // namespace sala::ops
