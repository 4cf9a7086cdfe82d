#include <cmath>

#include "sala/core/online_softmax.h"
#include "sim/ops/attention/attention_tiles.h"
#include "sim/ops/packed_keys/score-inl.h"

namespace sala::ops::SALA_ISA {
namespace {

static_assert(kTileKeys == kAttendTile);
constexpr int32_t kTilesPerSpan = kAttendSpan / kAttendTile;
constexpr int32_t kNoTile = INT32_MAX;
constexpr uint64_t kAllKeys = ~uint64_t{0};

// Rows that read something of one tile of keys.
struct Batch {
  int count = 0;
  int64_t row[kMaxRows];
  uint64_t keys[kMaxRows];  // bit j: key j of the tile is read
};

SALA_INLINE void start_state(const AttendState& state, int64_t row) {
  const F16 zero = set1(0.0f);
  state.m[row] = -INFINITY;
  store(state.l + row * kLanes, zero);
  for (int64_t i = 0; i < state.o_stride; i += kLanes) store(state.o + row * state.o_stride + i, zero);
}

// to = merge(to, later). `later` holds at least one key.
SALA_INLINE void merge_row(const AttendState& later, const AttendState& to, int64_t row) {
  const MergeWeights<F16> weights = merge_weights(set1(to.m[row]), set1(later.m[row]), set1(1.0f));
  to.m[row] = to.m[row] > later.m[row] ? to.m[row] : later.m[row];
  float* l = to.l + row * kLanes;
  store(l, merge(load(l), load(later.l + row * kLanes), weights));
  float* o = to.o + row * to.o_stride;
  const float* more = later.o + row * to.o_stride;
  for (int64_t i = 0; i < to.o_stride; i += kLanes) store(o + i, merge(load(o + i), load(more + i), weights));
}

// scores [Rows, 64] become probabilities; m: largest score of each row; l: lane sums.
template <int Rows>
SALA_INLINE void tile_softmax(const Batch& batch, Numerics numerics, float* scores, float* m, F16* l) {
  for (int r = 0; r < Rows; ++r) {
    F16 s[kTilePanels];
    for (int v = 0; v < kTilePanels; ++v) {
      s[v] = load(scores + r * kTileKeys + v * kLanes);
      if (batch.keys[r] != kAllKeys)
        s[v] = keep_lanes(s[v], static_cast<uint32_t>(batch.keys[r] >> (v * kLanes)) & 0xffff, set1(-INFINITY));
    }
    m[r] = largest_lane(max(max(s[0], s[1]), max(s[2], s[3])));
    const F16 largest = set1(m[r]);
    for (int v = 0; v < kTilePanels; ++v) s[v] = exp_below_88(sub(s[v], largest));
    l[r] = add(add(s[0], s[1]), add(s[2], s[3]));
    for (int v = 0; v < kTilePanels; ++v) store(scores + r * kTileKeys + v * kLanes, rounded(numerics, s[v]));
  }
}

// o = fma(p V, take, o * keep) for `Vectors` * 16 dims of each row. values: first of the dims in the tile's first row.
template <int Rows, int Vectors, bool kPart>
SALA_INLINE void value_step(const float* p, const float* values, int64_t stride, int64_t keys, int part, const float* keep,
                            const float* take, float* const* o) {
  F16 sum[Rows][Vectors];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) sum[r][v] = set1(0.0f);
  for (int64_t j = 0; j < keys; ++j) {
    F16 value[Vectors];
    for (int v = 0; v < Vectors; ++v)
      value[v] = kPart ? load_first(values + j * stride, part) : load(values + j * stride + v * kLanes);
    for (int r = 0; r < Rows; ++r) {
      const F16 weight = set1(p[r * kTileKeys + j]);
      for (int v = 0; v < Vectors; ++v) sum[r][v] = fma(weight, value[v], sum[r][v]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
    const F16 w1 = set1(keep[r]), w2 = set1(take[r]);
    for (int v = 0; v < Vectors; ++v) store(o[r] + v * kLanes, fma(sum[r][v], w2, mul(load(o[r] + v * kLanes), w1)));
  }
}

template <int Rows>
SALA_INLINE void add_values(const AttendTask& task, int64_t tile, const float* p, const float* keep, const float* take,
                            float* const* rows) {
  const int64_t first = tile * kTileKeys, dims = task.value_dim;
  const int64_t keys = task.num_keys - first < kTileKeys ? task.num_keys - first : kTileKeys;
  const float* values = task.values + first * dims;
  float* o[Rows];
  for (int r = 0; r < Rows; ++r) o[r] = rows[r];
  int64_t d = 0;
  const auto next = [&](int64_t width) {
    d += width;
    for (int r = 0; r < Rows; ++r) o[r] += width;
  };
  for (; d + kStepPanels * kLanes <= dims; next(kStepPanels * kLanes))
    value_step<Rows, kStepPanels, false>(p, values + d, dims, keys, 0, keep, take, o);
  for (; d + kLanes <= dims; next(kLanes)) value_step<Rows, 1, false>(p, values + d, dims, keys, 0, keep, take, o);
  if (d < dims) value_step<Rows, 1, true>(p, values + d, dims, keys, static_cast<int>(dims - d), keep, take, o);
}

// Adds a tile of keys to the running span of `Rows` rows.
template <int Rows>
void attend_rows(const AttendTask& task, const AttendScratch& scratch, int64_t tile, const Batch& batch) {
  alignas(64) float scores[Rows * kTileKeys];
  alignas(64) float old_m[kLanes] = {}, new_m[kLanes] = {}, keep[kLanes], take[kLanes];
  const AttendState& span = scratch.span;
  const float* q[Rows];
  float* o[Rows];
  F16 l[Rows];
  for (int r = 0; r < Rows; ++r) {
    q[r] = scratch.q + batch.row[r] * task.dim;
    o[r] = span.o + batch.row[r] * span.o_stride;
    old_m[r] = span.m[batch.row[r]];
  }
  const int64_t left = task.num_keys - tile * kTileKeys;
  const int panels = left >= kTileKeys ? kTilePanels : static_cast<int>((left + kLanes - 1) / kLanes);
  if (panels < kTilePanels)
    for (float& score : scores) score = 0;
  score_tile<Rows>(q, task.panels + tile * kTileKeys * task.dim, panels, task.dim, scores);
  tile_softmax<Rows>(batch, task.numerics, scores, new_m, l);
  const MergeWeights<F16> weights = merge_weights(load(old_m), load(new_m), set1(1.0f));  // a row in each lane
  store(keep, weights.first), store(take, weights.second), store(new_m, weights.m);
  for (int r = 0; r < Rows; ++r) {
    span.m[batch.row[r]] = new_m[r];
    float* lanes = span.l + batch.row[r] * kLanes;
    store(lanes, fma(l[r], set1(take[r]), mul(load(lanes), set1(keep[r]))));
  }
  add_values<Rows>(task, tile, scores, keep, take, o);
}

void attend_batch(const AttendTask& task, const AttendScratch& scratch, int64_t tile, Batch* batch) {
  static_assert(kMaxRows == 6);
  switch (batch->count) {
    case 1:
      attend_rows<1>(task, scratch, tile, *batch);
      break;
    case 2:
      attend_rows<2>(task, scratch, tile, *batch);
      break;
    case 3:
      attend_rows<3>(task, scratch, tile, *batch);
      break;
    case 4:
      attend_rows<4>(task, scratch, tile, *batch);
      break;
    case 5:
      attend_rows<5>(task, scratch, tile, *batch);
      break;
    case 6:
      attend_rows<6>(task, scratch, tile, *batch);
      break;
    default:
      break;
  }
  batch->count = 0;
}

// The first tile at or behind `from` that the token reads, for a token that reads blocks.
int32_t find_tile(const AttendTask& task, const int32_t* blocks, int64_t from, int64_t position, int32_t* slot) {
  for (; *slot < task.slots && blocks[*slot] >= 0; ++*slot) {
    const int64_t begin = blocks[*slot] * task.block_size, end = begin + task.block_size;
    if (begin > position) return kNoTile;
    if (end <= from * kTileKeys) continue;
    const int64_t tile = begin / kTileKeys > from ? begin / kTileKeys : from;
    return tile * kTileKeys > position ? kNoTile : static_cast<int32_t>(tile);
  }
  return kNoTile;
}

// Keys of the tile that the token reads; moves its cursor on.
uint64_t read_keys(const AttendTask& task, const AttendScratch& scratch, int64_t token, int64_t tile) {
  const int64_t position = task.position + token, first = tile * kTileKeys;
  const uint64_t causal = key_bits(0, position - first + 1);
  if (task.blocks == nullptr) {
    scratch.next_tile[token] = first + kTileKeys > position ? kNoTile : static_cast<int32_t>(tile + 1);
    return causal;
  }
  const int32_t* blocks = task.blocks + token * task.blocks_row_stride;
  uint64_t keys = 0;
  for (int64_t slot = scratch.slot[token]; slot < task.slots && blocks[slot] >= 0; ++slot) {
    const int64_t begin = blocks[slot] * task.block_size - first;
    if (begin >= kTileKeys) break;
    keys |= key_bits(begin, begin + task.block_size);
  }
  scratch.next_tile[token] = find_tile(task, blocks, tile + 1, position, scratch.slot + token);
  return keys & causal;
}

void start(const AttendTask& task, const AttendScratch& scratch, const AttendState& state) {
  const int64_t first_tile = task.first_span * kTilesPerSpan;
  const F16 scale = set1(task.scale);
  for (int64_t t = 0; t < task.tokens; ++t) {
    for (int64_t h = 0; h < task.group; ++h) {
      const float* from = task.q + t * task.q_row_stride + h * task.q_head_stride;
      float* to = scratch.q + (t * task.group + h) * task.dim;
      int64_t d = 0;
      for (; d + kLanes <= task.dim; d += kLanes) store(to + d, mul(load(from + d), scale));
      for (; d < task.dim; ++d) to[d] = from[d] * task.scale;
      start_state(state, t * task.group + h);
      scratch.row_span[t * task.group + h] = -1;
    }
    scratch.slot[t] = 0;
    scratch.next_tile[t] = task.blocks != nullptr ? find_tile(task, task.blocks + t * task.blocks_row_stride, first_tile,
                                                              task.position + t, scratch.slot + t)
                           : first_tile * kTileKeys > task.position + t ? kNoTile
                                                                        : static_cast<int32_t>(first_tile);
  }
}

int64_t nearest_tile(const AttendTask& task, const AttendScratch& scratch) {
  int32_t tile = kNoTile;
  for (int64_t t = 0; t < task.tokens; ++t) tile = scratch.next_tile[t] < tile ? scratch.next_tile[t] : tile;
  return tile;
}

// The tokens that read keys of the tile; moves their cursors on.
int64_t find_readers(const AttendTask& task, const AttendScratch& scratch, int64_t tile) {
  int64_t count = 0;
  for (int64_t t = 0; t < task.tokens; ++t) {
    if (scratch.next_tile[t] != tile) continue;
    const uint64_t keys = read_keys(task, scratch, t, tile);
    scratch.reader[count] = static_cast<int32_t>(t);
    scratch.keys[count] = keys;
    count += keys != 0 ? 1 : 0;
  }
  return count;
}

// Adds the tile to the states of its readers; meanwhile fetches the next one (-1: there is none).
void attend_readers(const AttendTask& task, const AttendScratch& scratch, const AttendState& state, int64_t tile,
                    int64_t count, int64_t next) {
  const auto span = static_cast<int32_t>(tile / kTilesPerSpan);
  const int64_t rows = count * task.group, parts = (rows + kMaxRows - 1) / kMaxRows;
  const int64_t ahead = next < 0 ? 0 : task.num_keys - next * kTileKeys;
  const int64_t keys_ahead = ahead < kTileKeys ? ahead / kLanes * kLanes : kTileKeys;
  int64_t part = 0, left = rows;
  Batch batch;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t row = scratch.reader[i] * task.group; row < (scratch.reader[i] + 1) * task.group; ++row) {
      if (scratch.row_span[row] != span) {
        if (scratch.row_span[row] >= 0) merge_row(scratch.span, state, row);
        scratch.row_span[row] = span;
        start_state(scratch.span, row);
      }
      batch.row[batch.count] = row;
      batch.keys[batch.count++] = scratch.keys[i];
      if (--left > 0 && batch.count < kMaxRows) continue;
      prefetch_part(task.panels + next * kTileKeys * task.dim, keys_ahead * task.dim, part, parts);
      prefetch_part(task.values + next * kTileKeys * task.value_dim, keys_ahead * task.value_dim, part++, parts);
      attend_batch(task, scratch, tile, &batch);
    }
}

}  // namespace

void attend(const AttendTask& task, const AttendScratch& scratch, const AttendState& state) {
  start(task, scratch, state);
  const int64_t last = task.last_span * kTilesPerSpan;
  for (int64_t tile = nearest_tile(task, scratch); tile < last;) {  // kNoTile is behind all
    const int64_t count = find_readers(task, scratch, tile), next = nearest_tile(task, scratch);
    attend_readers(task, scratch, state, tile, count, next < last ? next : -1);
    tile = next;
  }
  for (int64_t row = 0; row < task.tokens * task.group; ++row)
    if (scratch.row_span[row] >= 0) merge_row(scratch.span, state, row);
}

void attend_merge(const AttendTask& task, const AttendState& later, const AttendState& to) {
  for (int64_t row = 0; row < task.tokens * task.group; ++row)
    if (later.m[row] != -INFINITY) merge_row(later, to, row);
}

void attend_logits(const float* q, float scale, const float* panels, int64_t dim, const int64_t* read, int64_t count,
                   float* logits) {
  for (int64_t i = 0; i < count;) {
    const int64_t panel = read[i] / kLanes;
    F16 sum = set1(0.0f);
    for (int64_t d = 0; d < dim; ++d) sum = add(sum, mul(set1(scale * q[d]), load(panels + (panel * dim + d) * kLanes)));
    float lanes[kLanes];
    store_array(lanes, sum);
    for (; i < count && read[i] / kLanes == panel; ++i) logits[i] = lanes[read[i] % kLanes];
  }
}

void attend_finish(const AttendTask& task, const AttendState& state, float* out, int64_t row_stride, int64_t head_stride) {
  const F16 zero = set1(0.0f);
  for (int64_t t = 0; t < task.tokens; ++t)
    for (int64_t h = 0; h < task.group; ++h) {
      const int64_t row = t * task.group + h;
      const float* o = state.o + row * state.o_stride;
      float* to = out + t * row_stride + h * head_stride;
      const float sum = reduce_add(load(state.l + row * kLanes));
      const F16 divisor = set1(sum > 0 ? sum : 1.0f);  // 0: nothing was read and o is 0
      int64_t d = 0;
      // + 0 turns a -0 into 0: which one it is depends on neighbours whose keys have probability 0 here
      for (; d + kLanes <= task.value_dim; d += kLanes) store(to + d, add(div(load(o + d), divisor), zero));
      if (d < task.value_dim)
        store_first(to + d, add(div(load(o + d), divisor), zero), static_cast<int>(task.value_dim - d));
    }
}

}  // namespace sala::ops::SALA_ISA
