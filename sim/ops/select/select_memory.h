// Internal to the op: how a call is cut into tasks, and the scratch memory that they take. Source is a Workspace, or a
// ByteCounter that says how much it would be.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "sim/core/workspace.h"
#include "sim/ops/select/select_tiles.h"

namespace sala::ops {

inline constexpr int64_t kRowsPerTask = 96;   // they share what is read of the keys
inline constexpr int64_t kEnoughTasks = 16;   // below, the keys are split too
inline constexpr int64_t kLeastBlocks = 256;  // of a range
inline constexpr int64_t kMicroRows = 6;      // rows of a micro-kernel
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

// How a call is cut into tasks.
struct Cut {
  int64_t rows, group, kv_heads, dim, slots;

  // Tokens whose heads fill whole micro-kernels.
  int64_t together() const {
    int64_t tokens = 1;
    while (tokens * group % kMicroRows != 0) ++tokens;
    return tokens;
  }
  int64_t tokens_per_task() const {
    const int64_t wanted = std::max<int64_t>(1, std::min(kRowsPerTask / group, rows));
    return (wanted + together() - 1) / together() * together();
  }
  int64_t rows_per_task() const { return tokens_per_task() * group; }
  int64_t score_rows() const { return std::max(kMicroRows, together() * group); }  // whose scores are held at a time
  int64_t capacity() const { return padded(slots); }                               // of a row's candidates
  int64_t tiles(int64_t first_row) const { return (rows - first_row + tokens_per_task() - 1) / tokens_per_task(); }
};

using Found = std::pair<float, int32_t>;  // score and id of a block

// Room for the candidates of one tile.
struct Room {
  Candidates* all;
  float* scores;
  int32_t* ids;

  template <class Source>
  static Room take(Source& source, const Cut& cut) {
    const int64_t places = cut.tokens_per_task() * cut.capacity();
    return {source.template take<Candidates>(cut.tokens_per_task()).data, source.template take<float>(places).data,
            source.template take<int32_t>(places).data};
  }
  void start(const SelectTask& task, int64_t capacity) const {
    for (int64_t t = 0; t < task.tokens; ++t) {
      const int64_t keep = task.rows[t].free_slots;
      Candidates& mine = all[t];
      mine = {scores + t * capacity, ids + t * capacity, capacity, keep > 0 ? -1.0f : kInfinity};
      std::fill_n(mine.score, keep, -1.0f);
      std::fill_n(mine.id, keep, std::numeric_limits<int32_t>::max());
      std::fill_n(mine.score + keep, capacity - keep, kInfinity);
      std::fill_n(mine.id + keep, capacity - keep, -1);
    }
  }
};

// What a worker needs for the tile that it computes.
struct Memory {
  SelectRow* rows;
  int64_t* visible_coarse;
  SelectScratch scratch;
  int32_t* chosen;

  template <class Source>
  static Memory take(Source& source, const Cut& cut) {
    const int64_t rows = cut.rows_per_task();
    const auto floats = [&](int64_t count) { return source.template take<float>(count).data; };
    Memory memory;
    memory.rows = source.template take<SelectRow>(cut.tokens_per_task()).data;
    memory.visible_coarse = source.template take<int64_t>(cut.tokens_per_task()).data;
    memory.scratch.scores = floats(cut.score_rows() * 64);
    memory.scratch.q = floats(rows * cut.dim);
    memory.scratch.lse = floats(rows);
    memory.scratch.base = floats(rows);
    memory.scratch.state = {floats(rows * 16), floats(rows * 16)};
    memory.scratch.span = {floats(rows * 16), floats(rows * 16)};
    memory.chosen = source.template take<int32_t>(cut.slots).data;
    return memory;
  }
};

// `count` times what Piece::take() takes.
template <class Piece, class Source>
Piece* take_all(Source& source, const Cut& cut, int64_t count) {
  Piece* pieces = source.template take<Piece>(count).data;
  for (int64_t i = 0; i < count; ++i) {
    const Piece piece = Piece::take(source, cut);
    if (pieces != nullptr) pieces[i] = piece;
  }
  return pieces;
}

struct WholeMemory {
  Memory* workers;  // [threads]
  Room* rooms;      // [threads]
  Found* found;     // [threads, capacity]
};
template <class Source>
WholeMemory take_whole(Source& source, const Cut& cut, int threads) {
  return {take_all<Memory>(source, cut, threads), take_all<Room>(source, cut, threads),
          source.template take<Found>(threads, cut.capacity()).data};
}

// How the keys and blocks of few tokens are cut.
struct Split {
  int64_t tasks, spans, ranges;
  Split(int64_t num_tasks, int64_t visible_coarse, int64_t blocks)
      : tasks(num_tasks),
        spans((visible_coarse + kLseSpan - 1) / kLseSpan),
        ranges(std::clamp<int64_t>(blocks / kLeastBlocks, 1, (kEnoughTasks + num_tasks - 1) / num_tasks)) {}
};
struct SplitMemory {
  Memory* workers;  // [threads]
  float* parts;     // [tasks, spans, 2, rows, 16]
  float* lse;       // [tasks, rows]
  Room* rooms;      // [tasks, ranges]
  Found* found;     // [ranges, capacity]
};
template <class Source>
SplitMemory take_split(Source& source, const Cut& cut, const Split& split, int threads) {
  return {take_all<Memory>(source, cut, threads),
          source.template take<float>(split.tasks, split.spans, 2, cut.rows_per_task(), 16).data,
          source.template take<float>(split.tasks, cut.rows_per_task()).data,
          take_all<Room>(source, cut, split.tasks * split.ranges),
          source.template take<Found>(split.ranges, cut.capacity()).data};
}

}  // namespace sala::ops
