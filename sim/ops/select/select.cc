#include "sim/ops/select/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/ops/context.h"
#include "sim/ops/exact_math.h"
#include "sim/ops/select/select_memory.h"
#include "sim/ops/select/select_tiles.h"

namespace sala::ops {
namespace {

SelectShape shape_of(int64_t first, const SelectParams& params) {
  return {first,
          params.query_step,
          params.block_size,
          params.kernel_size,
          params.kernel_stride,
          params.init_blocks,
          params.window_size / params.block_size,
          params.slots(),
          params.exact_lse};
}

struct Call : SelectShape {
  Call(const Context& on, TensorView<const float, 3> queries, const PackedKeys& fine_keys, const PackedKeys& coarse_keys,
       const SelectParams& wanted, TensorView<int32_t, 3> out, const TensorView<float, 3>* scores_out)
      : context(on), q(queries), fine(fine_keys), coarse(coarse_keys), params(wanted), blocks(out), scores(scores_out) {}

  const Context& context;
  TensorView<const float, 3> q;
  const PackedKeys& fine;
  const PackedKeys& coarse;
  const SelectParams& params;
  TensorView<int32_t, 3> blocks;
  const TensorView<float, 3>* scores;
  const uint8_t* barred = nullptr;  // [blocks] 1 = listed and not to be chosen by score; null = none is

  Cut cut() const { return {q.extent[0], q.extent[1] / fine.kv_heads(), fine.kv_heads(), q.extent[2], slots}; }
  std::span<const int32_t> listed() const { return params.preferred.empty() ? params.barred : params.preferred; }
  std::span<const int32_t> included(int64_t r) const;
  SelectRow row(int64_t r) const;
};

// Listed blocks that row r has to choose.
std::span<const int32_t> Call::included(int64_t r) const {
  if (params.preferred.empty()) return {};
  const auto begin = std::lower_bound(params.preferred.begin(), params.preferred.end(), init(r));
  const auto end = std::lower_bound(begin, params.preferred.end(), first_local(r));
  return {begin, begin + std::min<int64_t>(free_slots(r), end - begin)};
}

SelectRow Call::row(int64_t r) const {
  SelectRow row{};
  row.first_block = init(r);
  row.last_block = first_local(r);
  row.free_slots = free_slots(r) - static_cast<int64_t>(included(r).size());
  row.first_key = scores != nullptr ? 0 : std::max<int64_t>(0, ratio() * row.first_block - extra());
  row.last_key = scores != nullptr ? visible_fine(r) : std::min(visible_fine(r), ratio() * row.last_block);
  return row;
}

// Forced blocks and chosen ones [ids ascending] of row r, into blocks[r][g].
void write_blocks(const Call& call, int64_t r, int64_t g, const int32_t* chosen, int64_t count) {
  int32_t* out = call.blocks[r][g].data;
  int32_t* const end = out + call.blocks.extent[2];
  for (int64_t b = 0; b < call.init(r); ++b) *out++ = static_cast<int32_t>(b);
  out = std::copy_n(chosen, count, out);
  for (int64_t b = call.first_local(r); b <= call.own_block(r); ++b) *out++ = static_cast<int32_t>(b);
  std::fill(out, end, -1);
}

// A row that needs no scores: all blocks that may be chosen are equal.
void write_lowest(const Call& call, int64_t r, int32_t* chosen) {
  const auto included = call.included(r);
  int32_t* end = std::copy(included.begin(), included.end(), chosen);
  for (int64_t b = call.init(r); b < call.first_local(r) && end - chosen < call.free_slots(r); ++b)
    if (call.barred == nullptr || call.barred[b] == 0) *end++ = static_cast<int32_t>(b);
  std::sort(chosen, end);
  for (int64_t g = 0; g < call.fine.kv_heads(); ++g) {
    write_blocks(call, r, g, chosen, end - chosen);
    if (call.scores == nullptr) continue;
    const auto scores = (*call.scores)[r][g];
    for (int64_t b = 0; b < scores.extent[0]; ++b) scores[b] = b <= call.own_block(r) ? kInfinity : -kInfinity;
  }
}

void force_scores(const Call& call, int64_t r, int64_t g) {
  const auto scores = (*call.scores)[r][g];
  std::fill_n(scores.data, call.init(r), kInfinity);
  std::fill(scores.data + call.first_local(r), scores.data + call.own_block(r) + 1, kInfinity);
}

// The rows [begin, end) of one KV head.
class Tile {
 public:
  Tile(const Call& call, const Memory& memory, int64_t head, int64_t begin, int64_t end);
  const SelectTask& task() const { return task_; }
  SelectTask& task() { return task_; }
  int64_t rows() const { return task_.tokens * task_.group; }
  // The best of what `count` rooms hold; found: [count * capacity].
  void write(const Room* rooms, int64_t count, Found* found) const;

 private:
  const Call& call_;
  const Memory& memory_;
  int64_t head_, begin_;
  SelectTask task_;
};

Tile::Tile(const Call& call, const Memory& memory, int64_t head, int64_t begin, int64_t end)
    : call_(call), memory_(memory), head_(head), begin_(begin) {
  const Cut cut = call.cut();
  for (int64_t r = begin; r < end; ++r) {
    memory.rows[r - begin] = call.row(r);
    memory.visible_coarse[r - begin] = call.visible_coarse(r);
  }
  const PackedKeys& coarse = call.params.exact_lse ? call.fine : call.coarse;
  task_.q = call.q[begin][head * cut.group].data;
  task_.q_row_stride = call.q.stride[0];
  task_.q_head_stride = call.q.stride[1];
  task_.tokens = end - begin;
  task_.group = cut.group;
  task_.dim = call.q.extent[2];
  task_.together = cut.together();
  task_.scale = call.params.scale;
  task_.numerics = call.context.numerics;
  task_.fine = call.fine.panels(head);
  task_.coarse = coarse.panels(head);
  task_.num_fine = call.fine.size();
  task_.num_coarse = coarse.size();
  task_.visible_coarse = memory.visible_coarse;
  task_.rows = memory.rows;
  task_.barred = call.barred;
  task_.ratio = call.ratio();
  task_.extra = call.extra();
  task_.last_span = (memory.visible_coarse[end - begin - 1] + kLseSpan - 1) / kLseSpan;
  task_.last_block = call.scores != nullptr ? call.own_block(end - 1) + 1 : memory.rows[end - begin - 1].last_block;
}

// Best first; of equal ones the lower id.
bool better(Found a, Found b) { return a.first != b.first ? a.first > b.first : a.second < b.second; }

void Tile::write(const Room* rooms, int64_t count, Found* found) const {
  for (int64_t t = 0; t < task_.tokens; ++t) {
    const int64_t slots = task_.rows[t].free_slots;
    Found* end = found;
    for (int64_t range = 0; range < count; ++range) {
      const Candidates& candidates = rooms[range].all[t];
      for (int64_t i = 0; i < slots; ++i)
        if (candidates.score[i] >= 0) *end++ = {candidates.score[i], candidates.id[i]};
    }
    const int64_t keep = std::min(slots, end - found);
    if (keep < end - found) std::nth_element(found, found + keep, end, better);
    const auto included = call_.included(begin_ + t);
    int32_t* last = std::copy(included.begin(), included.end(), memory_.chosen);
    for (int64_t i = 0; i < keep; ++i) *last++ = found[i].second;
    std::sort(memory_.chosen, last);
    write_blocks(call_, begin_ + t, head_, memory_.chosen, last - memory_.chosen);
    if (call_.scores != nullptr) force_scores(call_, begin_ + t, head_);
  }
}

// lse[r] = L of each row; z: [rows].
void finish_lse(const Call& call, const LseState& state, int64_t rows, float* z, float* lse) {
  SALA_TILE(call.context, select_lse_finish)(state, rows, lse, z);
  for (int64_t r = 0; r < rows; ++r)
    lse[r] = static_cast<float>(static_cast<double>(lse[r]) + log_exact(static_cast<double>(z[r])));
}

void score_tile(const Call& call, const Tile& tile, int64_t head, int64_t begin, const SelectScratch& scratch,
                Candidates* candidates) {
  const auto score = SALA_TILE(call.context, select_score);
  if (call.scores == nullptr) return score(tile.task(), scratch, candidates, nullptr, 0);
  const TensorView<float, 3> scores = call.scores->slice(begin, begin + tile.task().tokens);
  for (int64_t t = 0; t < scores.extent[0]; ++t) std::fill_n(scores[t][head].data, scores.extent[2], -kInfinity);
  score(tile.task(), scratch, candidates, scores[0][head].data, scores.stride[0]);
}

void run_whole(const Call& call, int64_t first_row, const WholeMemory& memory) {
  const Cut cut = call.cut();
  const int64_t step = cut.tokens_per_task(), tiles = cut.tiles(first_row);
  call.context.pool.run(tiles * cut.kv_heads, [&](int64_t index, int worker) {
    const int64_t head = index / tiles, begin = first_row + (tiles - 1 - index % tiles) * step;
    const Memory& mine = memory.workers[worker];
    const Room& room = memory.rooms[worker];
    const Tile tile(call, mine, head, begin, std::min(cut.rows, begin + step));
    SALA_TILE(call.context, select_scale)(tile.task(), mine.scratch.q);
    SALA_TILE(call.context, select_lse)(tile.task(), mine.scratch, mine.scratch.state);
    finish_lse(call, mine.scratch.state, tile.rows(), mine.scratch.base, mine.scratch.lse);
    room.start(tile.task(), cut.capacity());
    score_tile(call, tile, head, begin, mine.scratch, room.all);
    tile.write(&room, 1, memory.found + worker * cut.capacity());
  });
}

// Few tokens: spans of coarse keys, then ranges of blocks, are tasks of their own; merged in the same order as in
// run_whole().
void run_split(const Call& call, int64_t first_row, const Split& split, int64_t blocks, const SplitMemory& memory) {
  const Cut cut = call.cut();
  const int64_t step = cut.tokens_per_task(), tiles = cut.tiles(first_row), row_floats = cut.rows_per_task() * 16;
  const auto begin_of = [&](int64_t index) { return first_row + index % tiles * step; };
  const auto make_tile = [&](int64_t index, int worker) {
    return Tile(call, memory.workers[worker], index / tiles, begin_of(index), std::min(cut.rows, begin_of(index) + step));
  };
  const auto part = [&](int64_t index, int64_t span) {
    float* m = memory.parts + (index * split.spans + span) * 2 * row_floats;
    return LseState{m, m + row_floats};
  };
  call.context.pool.run(split.tasks * split.spans, [&](int64_t item, int worker) {
    Tile tile = make_tile(item / split.spans, worker);
    const SelectScratch& scratch = memory.workers[worker].scratch;
    tile.task().first_span = item % split.spans;
    tile.task().last_span = item % split.spans + 1;
    SALA_TILE(call.context, select_scale)(tile.task(), scratch.q);
    SALA_TILE(call.context, select_lse)(tile.task(), scratch, part(item / split.spans, item % split.spans));
  });
  const auto lse = [&](int64_t index) { return memory.lse + index * cut.rows_per_task(); };
  for (int64_t index = 0; index < split.tasks; ++index) {
    const int64_t rows = make_tile(index, 0).rows();
    for (int64_t s = 1; s < split.spans; ++s)
      SALA_TILE(call.context, select_lse_merge)(part(index, s), part(index, 0), rows);
    finish_lse(call, part(index, 0), rows, memory.workers[0].scratch.base, lse(index));
  }
  call.context.pool.run(split.tasks * split.ranges, [&](int64_t item, int worker) {
    const int64_t index = item / split.ranges, range = item % split.ranges;
    Tile tile = make_tile(index, worker);
    const SelectScratch& scratch = memory.workers[worker].scratch;
    tile.task().first_block = blocks * range / split.ranges;
    tile.task().last_block = blocks * (range + 1) / split.ranges;
    SALA_TILE(call.context, select_scale)(tile.task(), scratch.q);
    std::copy_n(lse(index), tile.rows(), scratch.lse);
    memory.rooms[item].start(tile.task(), cut.capacity());
    score_tile(call, tile, index / tiles, begin_of(index), scratch, memory.rooms[item].all);
  });
  for (int64_t index = 0; index < split.tasks; ++index)
    make_tile(index, 0).write(memory.rooms + index * split.ranges, split.ranges, memory.found);
}

void run(const Call& call, int64_t first_row) {
  const Cut cut = call.cut();
  const int64_t tasks = cut.tiles(first_row) * cut.kv_heads, last = cut.rows - 1;
  Workspace& workspace = call.context.workspace;
  const int threads = call.context.pool.threads();
  if (tasks >= kEnoughTasks || call.scores != nullptr)
    return run_whole(call, first_row, take_whole(workspace, cut, threads));
  const int64_t blocks = call.row(last).last_block;
  const Split split(tasks, call.visible_coarse(last), blocks);
  run_split(call, first_row, split, blocks, take_split(workspace, cut, split, threads));
}

// Ascending, into out; gives how many there are.
int64_t draw_blocks(uint64_t seed, int64_t position, int64_t head, int64_t begin, int64_t end, int64_t count, int32_t* out) {
  const int64_t all = std::max<int64_t>(0, end - begin);
  count = std::clamp<int64_t>(count, 0, all);
  Rng rng(seed, "select", static_cast<uint64_t>(position), static_cast<uint32_t>(head));
  int32_t* last_out = out;
  for (int64_t last = all - count; last < all; ++last, ++last_out) {
    const auto drawn = static_cast<int32_t>(begin + rng.between(0, last));
    int32_t* place = std::lower_bound(out, last_out, drawn);
    if (place != last_out && *place == drawn) {
      *last_out = static_cast<int32_t>(begin + last);  // above all that were drawn before
    } else {
      std::copy_backward(place, last_out, last_out + 1);
      *place = drawn;
    }
  }
  return count;
}

// chosen: [threads, slots], host memory like the call's blocks.
void write_random(const Call& call, int32_t* chosen) {
  constexpr int64_t kRows = 64;  // of a task
  const int64_t R = call.q.extent[0], slots = call.slots;
  call.context.pool.run((R + kRows - 1) / kRows, [&](int64_t tile, int worker) {
    int32_t* const mine = chosen + worker * slots;
    for (int64_t r = tile * kRows; r < std::min(R, (tile + 1) * kRows); ++r)
      for (int64_t g = 0; g < call.fine.kv_heads(); ++g) {
        const int64_t count =
            draw_blocks(*call.params.draw, call.position(r), g, call.init(r), call.first_local(r), call.free_slots(r), mine);
        write_blocks(call, r, g, mine, count);
      }
  });
}

// Draws here what a device reads.
void copy_random(Call call) {
  const TensorView<int32_t, 3> there = call.blocks;
  Buffer<int32_t> blocks(there.size()), chosen(call.context.pool.threads() * call.slots);
  call.blocks = blocks.view(there.extent[0], there.extent[1], there.extent[2]);
  write_random(call, chosen.data());
  SALA_DCHECK(there.stride[1] == there.extent[2] && there.stride[0] == there.extent[1] * there.extent[2]);
  call.context.device.copy(there.data, blocks.data(), blocks.bytes(), Device::Copy::kFromHost);
}

void check_listed(const Call& call) {
  const SelectParams& params = call.params;
  if (!params.preferred.empty() + !params.barred.empty() + params.draw.has_value() > 1)
    throw Error(ErrorCode::kConfig, "select_blocks: preferred, barred and drawn blocks exclude each other");
  const auto listed = call.listed();
  if (call.params.query_step < 1)
    throw Error(ErrorCode::kConfig, "select_blocks: query_step is {}, expected at least 1", call.params.query_step);
  for (size_t i = 0; i < listed.size(); ++i)
    if (listed[i] < 0 || (i > 0 && listed[i] <= listed[i - 1]))
      throw Error(ErrorCode::kConfig, "select_blocks: listed block {} at place {}, expected ids from 0 on, ascending",
                  listed[i], i);
}

void check_params(const Call& call) {
  const SelectParams& params = call.params;
  check_listed(call);
  if (params.kernel_stride < 1 || params.kernel_size < 1 || params.block_size < 1 || params.init_blocks < 0 ||
      params.window_size < 0 || params.topk < 0 || params.kernel_size % params.kernel_stride != 0 ||
      params.block_size % params.kernel_stride != 0 || params.window_size % params.block_size != 0 || !(params.scale > 0))
    throw Error(ErrorCode::kConfig,
                "select_blocks: kernel_size {} and block_size {} must be multiples of kernel_stride {}, window_size {} one "
                "of block_size, init_blocks {} and topk {} not negative, scale {} above 0",
                params.kernel_size, params.block_size, params.kernel_stride, params.window_size, params.init_blocks,
                params.topk, params.scale);
  if (params.slots() < params.forced_blocks())
    throw Error(ErrorCode::kConfig, "select_blocks: {} slots for {} blocks that are always read; raise topk to at least {}",
                params.slots(), params.forced_blocks(), params.init_blocks + 1);
}

void check_extents(const Call& call) {
  const SelectParams& params = call.params;
  const auto& q = call.q.extent;
  const PackedKeys* all[] = {&call.fine, &call.coarse};
  for (const PackedKeys* keys : all)
    if (q[2] != keys->dim() || keys->kv_heads() != call.fine.kv_heads() || q[1] == 0 || q[1] % keys->kv_heads() != 0)
      throw Error(ErrorCode::kShape, "select_blocks: q is [{}, {}, {}], the {} keys have {} KV heads of {} dims", q[0], q[1],
                  q[2], keys == &call.fine ? "fine" : "coarse", keys->kv_heads(), keys->dim());
  if (call.blocks.extent[0] != q[0] || call.blocks.extent[1] != call.fine.kv_heads() ||
      call.blocks.extent[2] != params.slots())
    throw Error(ErrorCode::kShape, "select_blocks: blocks is [{}, {}, {}], expected [{}, {}, {}]", call.blocks.extent[0],
                call.blocks.extent[1], call.blocks.extent[2], q[0], call.fine.kv_heads(), params.slots());
  if (call.first < 0) throw Error(ErrorCode::kShape, "select_blocks: first position is {}", call.first);
  if (q[0] == 0) return;
  const int64_t last = q[0] - 1;
  if (call.visible_fine(last) > call.fine.size() ||
      call.visible_coarse(last) > (params.exact_lse ? call.fine : call.coarse).size())
    throw Error(
        ErrorCode::kShape, "select_blocks: the query at position {} sees {} fine and {} coarse keys, there are {} and {}",
        call.position(last), call.visible_fine(last), call.visible_coarse(last), call.fine.size(), call.coarse.size());
  if (call.scores != nullptr && (call.scores->extent[0] != q[0] || call.scores->extent[1] != call.fine.kv_heads() ||
                                 call.scores->extent[2] <= call.own_block(last)))
    throw Error(ErrorCode::kShape, "select_blocks: scores is [{}, {}, {}], expected [{}, {}, {} or more]",
                call.scores->extent[0], call.scores->extent[1], call.scores->extent[2], q[0], call.fine.kv_heads(),
                call.own_block(last) + 1);
}

void draw_all(const Call& call) {
  if (&call.context.device != &cpu_device()) return copy_random(call);
  const Workspace::Scope scope(call.context.workspace);
  write_random(call, call.context.workspace.take<int32_t>(call.context.pool.threads(), call.slots).data);
}

void select_by_score(Call& call) {
  const Context& context = call.context;
  SALA_ON_CUDA(context, select_blocks(context, {call, call.q, call.fine, call.coarse, call.params.scale, call.listed(),
                                                !call.params.preferred.empty(), call.blocks, call.scores}));
  const int64_t R = call.q.extent[0];
  const Workspace::Scope scope(context.workspace);
  if (const auto listed = call.listed(); !listed.empty()) {
    const auto barred = context.workspace.take<uint8_t>(call.own_block(R - 1) + 1);
    std::fill_n(barred.data, barred.extent[0], uint8_t{0});
    for (const int32_t id : listed)
      if (id < barred.extent[0]) barred[id] = 1;
    call.barred = barred.data;
  }
  int64_t first_row = 0;
  int32_t* const chosen = context.workspace.take<int32_t>(call.slots).data;
  while (first_row < R && !call.needs_scores(first_row, call.scores != nullptr)) write_lowest(call, first_row++, chosen);
  if (first_row < R) run(call, first_row);
}

}  // namespace

std::vector<int32_t> random_blocks(uint64_t seed, int64_t position, int64_t head, int64_t begin, int64_t end,
                                   int64_t count) {
  std::vector<int32_t> chosen(static_cast<size_t>(std::clamp<int64_t>(count, 0, std::max<int64_t>(0, end - begin))));
  draw_blocks(seed, position, head, begin, end, count, chosen.data());
  return chosen;
}

int64_t select_scratch_bytes(const SelectSize& most, const SelectParams& params, const Workers& workers) {
#if defined(SALA_CUDA)
  if (workers.cuda) return cuda::select_scratch_bytes(most, params);
#endif
  const int threads = workers.threads;
  Cut cut{most.rows, most.heads / most.kv_heads, most.kv_heads, most.dim, params.slots()};
  const int64_t factor = params.exact_lse ? 1 : SelectParams::kCoarse, blocks = most.tokens / params.block_size + 1;
  const int64_t coarse =
      SelectShape::windows_up_to(most.tokens - 1, factor * params.kernel_size, factor * params.kernel_stride);
  const auto bytes = [](const auto& take) {
    ByteCounter counter;
    take(counter);
    return counter.bytes();
  };
  int64_t largest = bytes([&](ByteCounter& counter) { take_whole(counter, cut, threads); });
  const int64_t full = cut.tokens_per_task();
  for (int64_t tiles = 1; tiles * cut.kv_heads < kEnoughTasks && (tiles - 1) * full < most.rows; ++tiles) {
    const Split split(tiles * cut.kv_heads, coarse, blocks);
    largest = std::max(largest, bytes([&](ByteCounter& counter) { take_split(counter, cut, split, threads); }));
  }
  // beside it the listed blocks and what rows without scores choose
  return largest + Workspace::bytes_of<uint8_t>(blocks) + Workspace::bytes_of<int32_t>(cut.slots) +
         Workspace::bytes_of<int32_t>(threads * cut.slots);
}

void select_blocks(const Context& context, TensorView<const float, 3> q, const PackedKeys& fine, const PackedKeys& coarse,
                   int64_t first, const SelectParams& params, TensorView<int32_t, 3> blocks,
                   const TensorView<float, 3>* scores) {
  Call call(context, q, fine, coarse, params, blocks, scores);
  check_params(call);
  static_cast<SelectShape&>(call) = shape_of(first, params);
  check_extents(call);
  const int64_t R = q.extent[0];
  if (R == 0) return;
  if (context.is_ref()) {
    for (int64_t r = 0; r < R; ++r)
      select_ref(q[r], fine, coarse, call.position(r), params, context.numerics, blocks[r],
                 scores ? (*scores)[r] : TensorView<float, 2>{});
    return;
  }
  if (!params.draw || scores != nullptr) select_by_score(call);
  if (params.draw) draw_all(call);  // the scores are the model's own
}

}  // namespace sala::ops
