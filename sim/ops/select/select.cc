#include "sim/ops/select/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/ops/context.h"
#include "sim/ops/select/select_tiles.h"

namespace sala::ops {
namespace {

constexpr int64_t kRowsPerTask = 96;   // they share what is read of the keys
constexpr int64_t kEnoughTasks = 16;   // below, the keys are split too
constexpr int64_t kLeastBlocks = 256;  // of a range
constexpr int64_t kMicroRows = 6;      // rows of a micro-kernel
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// ln(x) of x >= 2^-1022 from additions, multiplications and divisions alone: the same bits everywhere.
double log_exact(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) m *= 2, --exponent;
  const double t = (m - 1) / (m + 1), square = t * t;  // ln(m) = 2 (t + t^3 / 3 + t^5 / 5 + ...), |t| < 0.172
  double sum = 1.0 / 23;
  for (int n = 21; n > 0; n -= 2) sum = sum * square + 1.0 / n;
  return exponent * 0.69314718055994530942 + 2 * t * sum;
}

int64_t windows_up_to(int64_t position, int64_t kernel, int64_t stride) {
  return position + 1 < kernel ? 0 : (position + 1 - kernel) / stride + 1;
}

int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

struct Call {
  const Context& context;
  TensorView<const float, 3> q;
  const PackedKeys& fine;
  const PackedKeys& coarse;
  int64_t first;
  const SelectParams& params;
  TensorView<int32_t, 3> blocks;
  const TensorView<float, 3>* scores;
  std::vector<uint8_t> barred = {};  // [blocks] listed ones; empty: none

  int64_t group() const { return q.extent[1] / fine.kv_heads(); }
  // Tokens whose heads fill whole micro-kernels.
  int64_t together() const {
    int64_t tokens = 1;
    while (tokens * group() % kMicroRows != 0) ++tokens;
    return tokens;
  }
  int64_t tokens_per_task() const {
    const int64_t wanted = std::max<int64_t>(1, std::min(kRowsPerTask / group(), q.extent[0]));
    return (wanted + together() - 1) / together() * together();
  }
  int64_t rows_per_task() const { return tokens_per_task() * group(); }
  int64_t position(int64_t r) const { return first + r * params.query_step; }
  int64_t own_block(int64_t r) const { return position(r) / params.block_size; }
  int64_t visible_fine(int64_t r) const { return windows_up_to(position(r), params.kernel_size, params.kernel_stride); }
  int64_t visible_coarse(int64_t r) const {
    if (params.exact_lse) return visible_fine(r);
    constexpr int64_t k = SelectParams::kCoarse;
    return windows_up_to(position(r), k * params.kernel_size, k * params.kernel_stride);
  }
  int64_t first_local(int64_t r) const {
    return std::max<int64_t>(0, own_block(r) - params.window_size / params.block_size);
  }
  // Forced blocks before the local ones.
  int64_t init(int64_t r) const { return std::min(params.init_blocks, first_local(r)); }
  int64_t free_slots(int64_t r) const { return params.slots() - init(r) - (own_block(r) - first_local(r) + 1); }
  // Whether the choice, or the wish for scores, needs scores. Once true it stays true for later rows.
  bool needs_scores(int64_t r) const {
    return visible_coarse(r) > 0 && (scores != nullptr || own_block(r) + 1 > params.slots());
  }
  int64_t capacity() const { return padded(params.slots()); }  // of a row's candidates
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
  const int64_t ratio = params.block_size / params.kernel_stride, extra = params.kernel_size / params.kernel_stride - 1;
  SelectRow row{};
  row.first_block = init(r);
  row.last_block = first_local(r);
  row.free_slots = free_slots(r) - static_cast<int64_t>(included(r).size());
  row.first_key = scores != nullptr ? 0 : std::max<int64_t>(0, ratio * row.first_block - extra);
  row.last_key = scores != nullptr ? visible_fine(r) : std::min(visible_fine(r), ratio * row.last_block);
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
void write_lowest(const Call& call, int64_t r) {
  const auto included = call.included(r);
  std::vector<int32_t> chosen(included.begin(), included.end());
  for (int64_t b = call.init(r); b < call.first_local(r) && static_cast<int64_t>(chosen.size()) < call.free_slots(r); ++b)
    if (call.barred.empty() || call.barred[static_cast<size_t>(b)] == 0) chosen.push_back(static_cast<int32_t>(b));
  std::sort(chosen.begin(), chosen.end());
  for (int64_t g = 0; g < call.fine.kv_heads(); ++g) {
    write_blocks(call, r, g, chosen.data(), static_cast<int64_t>(chosen.size()));
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
  Tile(const Call& call, int64_t head, int64_t begin, int64_t end);
  const SelectTask& task() const { return task_; }
  SelectTask& task() { return task_; }
  int64_t rows() const { return task_.tokens * task_.group; }
  void write(const std::vector<const Candidates*>& ranges) const;  // ranges[i]: [tokens]

 private:
  const Call& call_;
  int64_t head_, begin_;
  std::vector<SelectRow> rows_;
  std::vector<int64_t> visible_coarse_;
  SelectTask task_;
};

Tile::Tile(const Call& call, int64_t head, int64_t begin, int64_t end) : call_(call), head_(head), begin_(begin) {
  for (int64_t r = begin; r < end; ++r) {
    rows_.push_back(call.row(r));
    visible_coarse_.push_back(call.visible_coarse(r));
  }
  const PackedKeys& coarse = call.params.exact_lse ? call.fine : call.coarse;
  task_.q = call.q[begin][head * call.group()].data;
  task_.q_row_stride = call.q.stride[0];
  task_.q_head_stride = call.q.stride[1];
  task_.tokens = end - begin;
  task_.group = call.group();
  task_.dim = call.q.extent[2];
  task_.together = call.together();
  task_.scale = call.params.scale;
  task_.bf16 = call.context.bf16();
  task_.fine = call.fine.panels(head);
  task_.coarse = coarse.panels(head);
  task_.num_fine = call.fine.size();
  task_.num_coarse = coarse.size();
  task_.visible_coarse = visible_coarse_.data();
  task_.rows = rows_.data();
  task_.barred = call.barred.empty() ? nullptr : call.barred.data();
  task_.ratio = call.params.block_size / call.params.kernel_stride;
  task_.extra = call.params.kernel_size / call.params.kernel_stride - 1;
  task_.last_span = (visible_coarse_.back() + kLseSpan - 1) / kLseSpan;
  task_.last_block = call.scores != nullptr ? call.own_block(end - 1) + 1 : rows_.back().last_block;
}

// Best first; of equal ones the lower id.
bool better(std::pair<float, int32_t> a, std::pair<float, int32_t> b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

void Tile::write(const std::vector<const Candidates*>& ranges) const {
  std::vector<std::pair<float, int32_t>> found;
  std::vector<int32_t> chosen;
  for (int64_t t = 0; t < task_.tokens; ++t) {
    found.clear();
    for (const Candidates* range : ranges)
      for (int64_t i = 0; i < rows_[static_cast<size_t>(t)].free_slots; ++i)
        if (range[t].score[i] >= 0) found.emplace_back(range[t].score[i], range[t].id[i]);
    const int64_t keep = std::min(rows_[static_cast<size_t>(t)].free_slots, static_cast<int64_t>(found.size()));
    if (keep < static_cast<int64_t>(found.size()))
      std::nth_element(found.begin(), found.begin() + keep, found.end(), better);
    const auto included = call_.included(begin_ + t);
    chosen.assign(included.begin(), included.end());
    for (int64_t i = 0; i < keep; ++i) chosen.push_back(found[static_cast<size_t>(i)].second);
    std::sort(chosen.begin(), chosen.end());
    write_blocks(call_, begin_ + t, head_, chosen.data(), static_cast<int64_t>(chosen.size()));
    if (call_.scores != nullptr) force_scores(call_, begin_ + t, head_);
  }
}

int64_t scratch_floats(const Call& call) {
  const int64_t rows = call.rows_per_task(), score_rows = std::max(kMicroRows, call.together() * call.group());
  return score_rows * 64 + padded(rows * (4 * 16 + call.q.extent[2] + 2));
}
SelectScratch make_scratch(float* memory, const Call& call) {
  const int64_t rows = call.rows_per_task();
  SelectScratch scratch;
  scratch.scores = memory;
  scratch.state.m = scratch.scores + std::max(kMicroRows, call.together() * call.group()) * 64;
  scratch.state.z = scratch.state.m + rows * 16;
  scratch.span.m = scratch.state.z + rows * 16;
  scratch.span.z = scratch.span.m + rows * 16;
  scratch.q = scratch.span.z + rows * 16;
  scratch.lse = scratch.q + rows * call.q.extent[2];
  scratch.base = scratch.lse + rows;
  return scratch;
}

// Room for the candidates of one tile.
class CandidateRoom {
 public:
  explicit CandidateRoom(const Call& call)
      : capacity_(call.capacity()), scores_(call.tokens_per_task() * capacity_), ids_(call.tokens_per_task() * capacity_) {}
  Candidates* start(const SelectTask& task) {
    all_.resize(static_cast<size_t>(task.tokens));
    for (int64_t t = 0; t < task.tokens; ++t) {
      const int64_t keep = task.rows[t].free_slots;
      Candidates& mine = all_[static_cast<size_t>(t)];
      mine = {scores_.data() + t * capacity_, ids_.data() + t * capacity_, capacity_, keep > 0 ? -1.0f : kInfinity};
      std::fill_n(mine.score, keep, -1.0f);
      std::fill_n(mine.id, keep, std::numeric_limits<int32_t>::max());
      std::fill_n(mine.score + keep, capacity_ - keep, kInfinity);
      std::fill_n(mine.id + keep, capacity_ - keep, -1);
    }
    return all_.data();
  }
  const Candidates* data() const { return all_.data(); }

 private:
  int64_t capacity_;
  Buffer<float> scores_;
  Buffer<int32_t> ids_;
  std::vector<Candidates> all_;
};

// lse[r] = L of each row; uses scratch.base and the row's place in lse.
void finish_lse(const Call& call, const LseState& state, int64_t rows, float* z, float* lse) {
  SALA_TILE(call.context, select_lse_finish)(state, rows, lse, z);
  for (int64_t r = 0; r < rows; ++r)
    lse[r] = static_cast<float>(static_cast<double>(lse[r]) + log_exact(static_cast<double>(z[r])));
}

void score_tile(const Call& call, const Tile& tile, int64_t head, int64_t begin, const SelectScratch& scratch,
                Candidates* candidates) {
  const SelectTask& task = tile.task();
  const auto score = SALA_TILE(call.context, select_score);
  if (call.scores == nullptr) return score(task, scratch, candidates, nullptr, 0);
  const int64_t stride = call.scores->extent[2];
  std::vector<float> pooled(static_cast<size_t>(task.tokens * stride), -kInfinity);
  score(task, scratch, candidates, pooled.data(), stride);
  for (int64_t t = 0; t < task.tokens; ++t)
    std::copy_n(pooled.data() + t * stride, stride, (*call.scores)[begin + t][head].data);
}

void run_whole(const Call& call, int64_t first_row) {
  const int64_t step = call.tokens_per_task(), R = call.q.extent[0], tiles = (R - first_row + step - 1) / step;
  Buffer<float> memory(call.context.pool.threads() * scratch_floats(call));
  std::vector<CandidateRoom> rooms;
  for (int i = 0; i < call.context.pool.threads(); ++i) rooms.emplace_back(call);
  call.context.pool.run(tiles * call.fine.kv_heads(), [&](int64_t index, int worker) {
    const int64_t head = index / tiles, begin = first_row + (tiles - 1 - index % tiles) * step;
    const Tile tile(call, head, begin, std::min(R, begin + step));
    const SelectScratch scratch = make_scratch(memory.data() + worker * scratch_floats(call), call);
    SALA_TILE(call.context, select_scale)(tile.task(), scratch.q);
    SALA_TILE(call.context, select_lse)(tile.task(), scratch, scratch.state);
    finish_lse(call, scratch.state, tile.rows(), scratch.base, scratch.lse);
    CandidateRoom& room = rooms[static_cast<size_t>(worker)];
    score_tile(call, tile, head, begin, scratch, room.start(tile.task()));
    tile.write({room.data()});
  });
}

// Few tokens: spans of coarse keys, then ranges of blocks, are tasks of their own; merged in the same order as in
// run_whole().
void run_split(const Call& call, int64_t first_row) {
  const int64_t step = call.tokens_per_task(), R = call.q.extent[0], kv_heads = call.fine.kv_heads();
  const int64_t tiles = (R - first_row + step - 1) / step, tasks = tiles * kv_heads, row_floats = call.rows_per_task() * 16;
  const auto begin_of = [&](int64_t index) { return first_row + index % tiles * step; };
  const auto make_tile = [&](int64_t index) {
    return Tile(call, index / tiles, begin_of(index), std::min(R, begin_of(index) + step));
  };
  const int64_t spans = make_tile(tiles - 1).task().last_span, blocks = make_tile(tiles - 1).task().last_block;
  const int64_t ranges = std::clamp<int64_t>(blocks / kLeastBlocks, 1, (kEnoughTasks + tasks - 1) / tasks);
  Buffer<float> memory(call.context.pool.threads() * scratch_floats(call)), parts(tasks * spans * 2 * row_floats);
  Buffer<float> lse(tasks * call.rows_per_task());
  const auto scratch_of = [&](int worker) { return make_scratch(memory.data() + worker * scratch_floats(call), call); };
  const auto part = [&](int64_t index, int64_t span) {
    float* m = parts.data() + (index * spans + span) * 2 * row_floats;
    return LseState{m, m + row_floats};
  };
  call.context.pool.run(tasks * spans, [&](int64_t item, int worker) {
    Tile tile = make_tile(item / spans);
    const SelectScratch scratch = scratch_of(worker);
    tile.task().first_span = item % spans;
    tile.task().last_span = item % spans + 1;
    SALA_TILE(call.context, select_scale)(tile.task(), scratch.q);
    SALA_TILE(call.context, select_lse)(tile.task(), scratch, part(item / spans, item % spans));
  });
  for (int64_t index = 0; index < tasks; ++index) {
    const int64_t rows = make_tile(index).rows();
    for (int64_t s = 1; s < spans; ++s) SALA_TILE(call.context, select_lse_merge)(part(index, s), part(index, 0), rows);
    finish_lse(call, part(index, 0), rows, scratch_of(0).base, lse.data() + index * call.rows_per_task());
  }
  std::vector<CandidateRoom> rooms;
  for (int64_t i = 0; i < tasks * ranges; ++i) rooms.emplace_back(call);
  call.context.pool.run(tasks * ranges, [&](int64_t item, int worker) {
    const int64_t index = item / ranges, range = item % ranges;
    Tile tile = make_tile(index);
    const SelectScratch scratch = scratch_of(worker);
    tile.task().first_block = blocks * range / ranges;
    tile.task().last_block = blocks * (range + 1) / ranges;
    SALA_TILE(call.context, select_scale)(tile.task(), scratch.q);
    std::copy_n(lse.data() + index * call.rows_per_task(), tile.rows(), scratch.lse);
    score_tile(call, tile, index / tiles, begin_of(index), scratch, rooms[static_cast<size_t>(item)].start(tile.task()));
  });
  for (int64_t index = 0; index < tasks; ++index) {
    std::vector<const Candidates*> found;
    for (int64_t i = 0; i < ranges; ++i) found.push_back(rooms[static_cast<size_t>(index * ranges + i)].data());
    make_tile(index).write(found);
  }
}

void write_random(const Call& call) {
  constexpr int64_t kRows = 64;  // of a task
  const int64_t R = call.q.extent[0];
  call.context.pool.run((R + kRows - 1) / kRows, [&](int64_t tile, int) {
    for (int64_t r = tile * kRows; r < std::min(R, (tile + 1) * kRows); ++r)
      for (int64_t g = 0; g < call.fine.kv_heads(); ++g) {
        const std::vector<int32_t> chosen =
            random_blocks(*call.params.draw, call.position(r), g, call.init(r), call.first_local(r), call.free_slots(r));
        write_blocks(call, r, g, chosen.data(), static_cast<int64_t>(chosen.size()));
      }
  });
}

void check_listed(const Call& call) {
  const SelectParams& params = call.params;
  if (!params.preferred.empty() + !params.barred.empty() + params.draw.has_value() > 1)
    throw Error(ErrorCode::kConfig, "select_blocks: preferred, barred and drawn blocks exclude each other");
  const auto& listed = params.preferred.empty() ? params.barred : params.preferred;
  if (call.params.query_step < 1)
    throw Error(ErrorCode::kConfig, "select_blocks: query_step is {}, expected at least 1", call.params.query_step);
  for (size_t i = 0; i < listed.size(); ++i)
    if (listed[i] < 0 || (i > 0 && listed[i] <= listed[i - 1]))
      throw Error(ErrorCode::kConfig, "select_blocks: listed block {} at place {}, expected ids from 0 on, ascending",
                  listed[i], i);
}

void check(const Call& call) {
  const SelectParams& params = call.params;
  const auto& q = call.q.extent;
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

}  // namespace

std::vector<int32_t> random_blocks(uint64_t seed, int64_t position, int64_t head, int64_t begin, int64_t end,
                                   int64_t count) {
  const int64_t all = std::max<int64_t>(0, end - begin);
  count = std::clamp<int64_t>(count, 0, all);
  std::vector<int32_t> chosen;
  Rng rng(seed, "select", static_cast<uint64_t>(position), static_cast<uint32_t>(head));
  for (int64_t last = all - count; last < all; ++last) {
    const auto drawn = static_cast<int32_t>(begin + rng.between(0, last));
    const auto place = std::lower_bound(chosen.begin(), chosen.end(), drawn);
    if (place != chosen.end() && *place == drawn)
      chosen.push_back(static_cast<int32_t>(begin + last));  // above all that were drawn before
    else
      chosen.insert(place, drawn);
  }
  return chosen;
}

void select_blocks(const Context& context, TensorView<const float, 3> q, const PackedKeys& fine, const PackedKeys& coarse,
                   int64_t first, const SelectParams& params, TensorView<int32_t, 3> blocks,
                   const TensorView<float, 3>* scores) {
  Call call{context, q, fine, coarse, first, params, blocks, scores};
  check(call);
  const int64_t R = q.extent[0];
  if (R == 0) return;
  const bool random = params.draw.has_value();
  if (context.is_ref()) {
    for (int64_t r = 0; r < R; ++r)
      select_ref(q[r], fine, coarse, call.position(r), params, context.numerics, blocks[r],
                 scores ? (*scores)[r] : TensorView<float, 2>{});
    return;
  }
  if (random && scores == nullptr) return write_random(call);
  if (const auto listed = params.preferred.empty() ? params.barred : params.preferred; !listed.empty()) {
    call.barred.resize(static_cast<size_t>(call.own_block(R - 1) + 1));
    for (const int32_t id : listed)
      if (id < static_cast<int64_t>(call.barred.size())) call.barred[static_cast<size_t>(id)] = 1;
  }
  int64_t first_row = 0;
  while (first_row < R && !call.needs_scores(first_row)) write_lowest(call, first_row++);
  if (first_row < R) {
    const int64_t tasks = (R - first_row + call.tokens_per_task() - 1) / call.tokens_per_task() * fine.kv_heads();
    const bool split = tasks < kEnoughTasks && scores == nullptr;
    split ? run_split(call, first_row) : run_whole(call, first_row);
  }
  if (random) write_random(call);  // the scores are the model's own
}

}  // namespace sala::ops
