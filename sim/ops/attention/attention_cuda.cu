// A block of threads takes up to 64 rows (token, head of the group) of one KV head and walks through the tiles of 64 keys
// that any of them reads. A warp scores up to 8 rows with a tile at a time, a lane two of the keys; then its lanes are dims
// of the values. States are merged as on the CPU: tiles into the span of 2048 keys, spans into the whole.
#include <algorithm>

#include "sala/core/error.h"
#include "sim/ops/attention/attention_state_cuda.cuh"
#include "sim/ops/attention/attention_tiles.h"
#include "sim/ops/context.h"
#include "sim/ops/cuda_limits.h"
#include "sim/ops/cuda_math.cuh"

namespace sala::ops::cuda {
namespace {

constexpr int kTile = static_cast<int>(kAttendTile);
constexpr int kTilesPerSpan = static_cast<int>(kAttendSpan / kAttendTile);
constexpr int kMostRows = 64, kRowsPerWarp = 8;
constexpr int kNoTile = 0x7fffffff;
constexpr int kMostIds = 1024;  // of blocks, that a block of threads keeps at hand
constexpr int kPanel = static_cast<int>(PackedKeys::kPanel);
constexpr int64_t kMostShared = 220 << 10;  // bytes of a block of threads
constexpr int64_t kEnoughTasks = 256;       // below, the keys are split too
constexpr int64_t kMostStates = 1024;       // that are held at a time, when they are split

// How a call is cut, and the memory of a block of threads in floats.
struct Cut {
  int64_t group, dim, value_dim;
  int row_limit = kMostRows;
  int tokens = 1, heads = 1;  // of a block of threads

  Cut(const AttentionSize& size) : group(size.heads / size.kv_heads), dim(size.dim), value_dim(size.value_dim) {
    while (row_limit > kRowsPerWarp && shared_bytes() > kMostShared) row_limit /= 2;
    heads = static_cast<int>(std::min<int64_t>(group, row_limit));
    tokens = static_cast<int>(std::clamp<int64_t>(row_limit / group, 1, std::max<int64_t>(1, size.rows)));
  }
  int64_t parts() const { return ceil_div(group, heads); }  // of the heads of a group
  int64_t tiles(int64_t rows) const { return ceil_div(rows, tokens); }
  int threads() const { return row_limit * kWarp / kRowsPerWarp; }
  int64_t state_floats() const { return int64_t{tokens} * heads * (1 + kLanes + value_dim); }
  __host__ __device__ int query_stride() const { return static_cast<int>((dim + 3) / 4 * 4); }
  int64_t shared_bytes() const {
    const int64_t floats = row_limit * query_stride() + kTile * (dim + value_dim) + int64_t{row_limit} * kTile +
                           2 * row_limit * (1 + kLanes + value_dim) + kMostIds;
    return floats * 4 + row_limit * (8 + 5 * 4) + 64;
  }
};

struct Call {
  AttendRows rows;
  Cut cut;
  float* states = nullptr;               // null: each block of threads reads all spans and finishes
  int64_t together = 0, first_span = 0;  // of the states: [tasks] totals, then [tasks, together]
};

__device__ uint64_t key_bits(int64_t begin, int64_t end) {
  if (end <= 0 || begin >= kTile) return 0;
  const uint64_t from = begin <= 0 ? ~uint64_t{0} : ~uint64_t{0} << begin;
  return end >= kTile ? from : from & ((uint64_t{1} << end) - 1);
}

// What the rows of a block of threads share.
struct Block {
  const Call& call;
  int64_t first_row, position;  // token 0
  int64_t head;                 // KV head
  int64_t first_head;           // of the queries
  int tokens, heads;
  int lane, warp, warps;
  // Shared memory.
  float *q, *keys, *values, *weights;  // [rows, D], [D, 64], [64, Dv], [warps, 64, 8]
  States span, total;
  uint64_t* masks;  // [tokens] keys of the tile that the token reads
  int *next_tile, *slot, *reader, *row_span, *counts, *ids_at_hand;

  __device__ Block(const Call& from, const Place& place, float* memory);
  __device__ bool ids_fit() const { return int64_t{tokens} * call.rows.blocks.extent[2] <= kMostIds; }
  __device__ const int32_t* blocks(int token) const {
    const auto& ids = call.rows.blocks;
    if (ids_fit()) return ids_at_hand + token * ids.extent[2];
    return ids.data + (first_row + token) * ids.stride[0] + head * ids.stride[1];
  }
  __device__ int rows() const { return tokens * heads; }
  __device__ int find_tile(int token, int64_t from);
  __device__ uint64_t read_keys(int token, int tile);
  __device__ void start(int first_tile);
  __device__ int nearest_tile();
  __device__ int find_readers(int tile);
  __device__ void load_tile(int tile);
  template <int G>
  __device__ void score_rows(const int (&row)[G], float (&low)[G], float (&high)[G]);
  template <int G, int V>
  __device__ void attend_rows(int tile, int first, int count);
  template <int V>
  __device__ void attend_tile(int tile, int readers);
};

__device__ Block::Block(const Call& from, const Place& place, float* memory) : call(from) {
  const Cut& cut = call.cut;
  const int64_t tile = place.grid.x - 1 - place.block.x;  // the last ones first: under a causal mask they are the longest
  const auto parts = static_cast<int>((cut.group + cut.heads - 1) / cut.heads);
  first_row = tile * cut.tokens;
  position = call.rows.first + first_row;
  head = place.block.y / parts;
  const int64_t in_group = place.block.y % parts * cut.heads;
  first_head = head * cut.group + in_group;
  const int64_t left = call.rows.q.extent[0] - first_row;
  tokens = static_cast<int>(left < cut.tokens ? left : cut.tokens);
  heads = static_cast<int>(cut.group - in_group < cut.heads ? cut.group - in_group : cut.heads);
  lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  const int limit = cut.row_limit, D = static_cast<int>(cut.dim), Dv = static_cast<int>(cut.value_dim);
  weights = memory;  // read four at a time, like q
  q = weights + limit * kTile;
  keys = q + limit * cut.query_stride();
  values = keys + kTile * D;
  span = {values + kTile * Dv, limit, Dv};
  total = {span.memory + limit * (1 + kLanes + Dv), limit, Dv};
  masks = reinterpret_cast<uint64_t*>(total.memory + limit * (1 + kLanes + Dv));
  next_tile = reinterpret_cast<int*>(masks + limit);
  slot = next_tile + limit;
  reader = slot + limit;
  row_span = reader + limit;
  counts = row_span + limit;
  ids_at_hand = counts + 16;
}

// The first tile at or behind `from` that the token reads, for a token that reads blocks.
__device__ int Block::find_tile(int token, int64_t from) {
  const int32_t* ids = blocks(token);
  const int64_t at = position + token, size = call.rows.block_size, slots = call.rows.blocks.extent[2];
  for (int s = slot[token]; s < slots && ids[s] >= 0; ++s) {
    slot[token] = s;
    const int64_t begin = ids[s] * size, end = begin + size;
    if (begin > at) return kNoTile;
    if (end <= from * kTile) continue;
    const int64_t tile = begin / kTile > from ? begin / kTile : from;
    return tile * kTile > at ? kNoTile : static_cast<int>(tile);
  }
  return kNoTile;
}

// Keys of the tile that the token reads; moves its cursor on.
__device__ uint64_t Block::read_keys(int token, int tile) {
  const int64_t at = position + token, first = int64_t{tile} * kTile;
  const uint64_t causal = key_bits(0, at - first + 1);
  if (call.rows.blocks.data == nullptr) {
    next_tile[token] = first + kTile > at ? kNoTile : tile + 1;
    return causal;
  }
  const int32_t* ids = blocks(token);
  const int64_t size = call.rows.block_size, slots = call.rows.blocks.extent[2];
  uint64_t found = 0;
  for (int s = slot[token]; s < slots && ids[s] >= 0; ++s) {
    const int64_t begin = ids[s] * size - first;
    if (begin >= kTile) break;
    found |= key_bits(begin, begin + size);
  }
  next_tile[token] = find_tile(token, tile + 1);
  return found & causal;
}

// Scaled queries, empty states, cursors in front of everything.
__device__ void Block::start(int first_tile) {
  const int D = static_cast<int>(call.cut.dim), stride = call.cut.query_stride();
  for (int row = warp; row < rows(); row += warps) {
    const float* from = call.rows.q.data + (first_row + row / heads) * call.rows.q.stride[0] +
                        (first_head + row % heads) * call.rows.q.stride[1];
    for (int d = lane; d < stride; d += kWarp) q[row * stride + d] = d < D ? from[d] * call.rows.scale : 0.0f;
    start_row(total[row], lane, total.value_dim);
    if (lane == 0) row_span[row] = -1;
  }
  if (const auto& ids = call.rows.blocks; ids.data != nullptr && ids_fit()) {
    const auto slots = static_cast<int>(ids.extent[2]);
    for (int i = threadIdx.x; i < tokens * slots; i += blockDim.x)
      ids_at_hand[i] = ids.data[(first_row + i / slots) * ids.stride[0] + head * ids.stride[1] + i % slots];
    __syncthreads();
  }
  if (const int token = threadIdx.x; token < tokens) {
    slot[token] = 0;
    const bool all = call.rows.blocks.data == nullptr;
    next_tile[token] = !all                                             ? find_tile(token, first_tile)
                       : int64_t{first_tile} * kTile > position + token ? kNoTile
                                                                        : first_tile;
  }
  __syncthreads();
}

__device__ int Block::nearest_tile() {
  int tile = kNoTile;
  for (int token = lane; token < tokens; token += kWarp) tile = min(tile, next_tile[token]);
  return __reduce_min_sync(0xffffffffu, tile);
}

// The tokens that read keys of the tile, in order; moves their cursors on. All threads call it and get their number.
__device__ int Block::find_readers(int tile) {
  __syncthreads();  // the last tile is done, the nearest is known to all
  load_tile(tile);
  if (warp == 0) {
    int count = 0;
    for (int begin = 0; begin < tokens; begin += kWarp) {
      const int token = begin + lane;
      const bool there = token < tokens && next_tile[token] == tile;
      const uint64_t mask = there ? read_keys(token, tile) : 0;
      const unsigned reads = __ballot_sync(0xffffffffu, mask != 0);
      if (mask != 0) {
        masks[token] = mask;
        reader[count + __popc(reads & ((1u << lane) - 1))] = token;
      }
      count += __popc(reads);
    }
    if (lane == 0) counts[0] = count;
  }
  wait_for_groups<0>();
  __syncthreads();
  return counts[0];
}

// Copied later; keys behind the last one are zeros up to the end of the tile.
__device__ void Block::load_tile(int tile) {
  const int D = static_cast<int>(call.cut.dim), Dv = static_cast<int>(call.cut.value_dim);
  const int64_t first = int64_t{tile} * kTile;
  const auto present = static_cast<int>(min(int64_t{kTile}, call.rows.num_keys - first));
  const float* panels = call.rows.keys + head * call.rows.key_head_stride + first * D;
  for (int panel = 0; panel < kTile / kPanel; ++panel)
    for (int i = threadIdx.x; i < D * (kPanel / 4); i += blockDim.x) {
      const bool exists = panel * kPanel < present;
      copy_later<16>(keys + i / (kPanel / 4) * kTile + panel * kPanel + i % (kPanel / 4) * 4,
                     exists ? panels + panel * D * kPanel + i * 4 : panels, exists);
    }
  const float* rows = call.rows.values + head * call.rows.value_head_stride + first * Dv;
  if (Dv % 4 == 0)
    for (int i = threadIdx.x; i < present * Dv / 4; i += blockDim.x) copy_later<16>(values + i * 4, rows + i * 4);
  else
    for (int i = threadIdx.x; i < present * Dv; i += blockDim.x) copy_later<4>(values + i, rows + i);
  end_group();
}

// Four at a time where both ends are aligned for it.
template <int N>
__device__ void copy_numbers(const float* from, float* to) {
  if constexpr (N % 4 == 0) {
#pragma unroll
    for (int i = 0; i < N; i += 4) *reinterpret_cast<float4*>(to + i) = *reinterpret_cast<const float4*>(from + i);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = from[i];
  }
}

// low, high: of the keys `lane` and `lane` + 32, one chain over the dims.
template <int G>
__device__ void Block::score_rows(const int (&row)[G], float (&low)[G], float (&high)[G]) {
  const int D = static_cast<int>(call.cut.dim), stride = call.cut.query_stride();
  const auto step = [&](int d, auto&& query) {
    const float k0 = keys[d * kTile + lane], k1 = keys[d * kTile + kWarp + lane];
#pragma unroll
    for (int g = 0; g < G; ++g) {
      low[g] = fmaf(query(g), k0, low[g]);
      high[g] = fmaf(query(g), k1, high[g]);
    }
  };
  int d = 0;
#pragma unroll(G < 8 ? 4 : 1)
  for (; d + 4 <= D; d += 4) {
    float4 a[G];
#pragma unroll
    for (int g = 0; g < G; ++g) a[g] = *reinterpret_cast<const float4*>(q + row[g] * stride + d);
    step(d, [&](int g) { return a[g].x; });
    step(d + 1, [&](int g) { return a[g].y; });
    step(d + 2, [&](int g) { return a[g].z; });
    step(d + 3, [&](int g) { return a[g].w; });
  }
  for (; d < D; ++d) step(d, [&](int g) { return q[row[g] * stride + d]; });
}

// Rows [first, first + G) of the `count` that read the tile; V: dims of the values a lane.
template <int G, int V>
__device__ void Block::attend_rows(int tile, int first, int count) {
  const auto Dv = static_cast<int>(call.cut.value_dim);
  int row[G];
  uint64_t mask[G];
#pragma unroll
  for (int g = 0; g < G; ++g) {
    const int i = min(first + g, count - 1), token = reader[i / heads];  // the last one again rather than none
    row[g] = token * heads + i % heads;
    mask[g] = masks[token];
  }
  float low[G] = {}, high[G] = {};
  score_rows(row, low, high);
  float* const mine = weights + warp * kTile * kRowsPerWarp;
  float m[G], l[G];
  alignas(16) float low_p[G], high_p[G];
#pragma unroll
  for (int g = 0; g < G; ++g) {
    const float s0 = mask[g] >> lane & 1 ? low[g] : -INFINITY, s1 = mask[g] >> (lane + kWarp) & 1 ? high[g] : -INFINITY;
    m[g] = warp_max(fmaxf(s0, s1));
    const float p0 = exp_below_88(s0 - m[g]), p1 = exp_below_88(s1 - m[g]);
    l[g] = (p0 + __shfl_xor_sync(0xffffffffu, p0, kLanes)) + (p1 + __shfl_xor_sync(0xffffffffu, p1, kLanes));
    low_p[g] = rounded(call.rows.numerics, p0);
    high_p[g] = rounded(call.rows.numerics, p1);
  }
  copy_numbers<G>(low_p, mine + lane * G);
  copy_numbers<G>(high_p, mine + (lane + kWarp) * G);
  __syncwarp();
  const auto present = static_cast<int>(min(int64_t{kTile}, call.rows.num_keys - int64_t{tile} * kTile));
  float sum[G][V] = {};
#pragma unroll 4
  for (int j = 0; j < present; ++j) {
    float value[V];
#pragma unroll
    for (int v = 0; v < V; ++v) value[v] = v * kWarp + lane < Dv ? values[j * Dv + v * kWarp + lane] : 0.0f;
    alignas(16) float p[G];
    copy_numbers<G>(mine + j * G, p);
#pragma unroll
    for (int g = 0; g < G; ++g)
#pragma unroll
      for (int v = 0; v < V; ++v) sum[g][v] = fmaf(p[g], value[v], sum[g][v]);
  }
  const int here = tile / kTilesPerSpan;
#pragma unroll
  for (int g = 0; g < G; ++g) {
    if (first + g >= count) break;
    const Row state = span[row[g]];
    if (row_span[row[g]] != here) {
      if (row_span[row[g]] >= 0) merge_row(state, total[row[g]], lane, Dv);
      __syncwarp();
      if (lane == 0) row_span[row[g]] = here;
      start_row(state, lane, Dv);
      __syncwarp();
    }
    const MergeWeights by = merge_weights(*state.m, m[g]);
    __syncwarp();
    if (lane == 0) *state.m = by.m;
    if (lane < kLanes) state.l[lane] = merge(state.l[lane], l[g], by);
#pragma unroll
    for (int v = 0; v < V; ++v)
      if (const int d = v * kWarp + lane; d < Dv) state.o[d] = merge(state.o[d], sum[g][v], by);
  }
  __syncwarp();
}

template <int V>
__device__ void Block::attend_tile(int tile, int readers) {
  const int count = readers * heads, each = (count + warps - 1) / warps;
  if (each > 4) {
    for (int first = warp * 8; first < count; first += warps * 8) attend_rows<8, V>(tile, first, count);
  } else if (each > 2) {
    for (int first = warp * 4; first < count; first += warps * 4) attend_rows<4, V>(tile, first, count);
  } else if (each > 1) {
    for (int first = warp * 2; first < count; first += warps * 2) attend_rows<2, V>(tile, first, count);
  } else {
    for (int first = warp; first < count; first += warps) attend_rows<1, V>(tile, first, count);
  }
}

// Slot 0 of a task is its total, the others are spans of which the first was `first_span`.
__device__ States put_aside(const Call& call, const Place& place, int64_t part) {
  const int64_t task = int64_t{place.block.y} * place.grid.x + place.block.x, tasks = int64_t{place.grid.x} * place.grid.y;
  const int64_t at = part < 0 ? task : tasks + task * call.together + part;
  const int rows = call.cut.tokens * call.cut.heads;
  return {call.states + at * rows * (1 + kLanes + call.cut.value_dim), rows, static_cast<int>(call.cut.value_dim)};
}

__device__ float* output_of(const Call& call, const Block& block, int row) {
  const auto& o = call.rows.o;
  return o.data + (block.first_row + row / block.heads) * o.stride[0] + (block.first_head + row % block.heads) * o.stride[1];
}

template <int V>
struct Attend {
  Call call;

  __device__ void operator()(const Place& place) const {
    extern __shared__ __align__(16) float memory[];
    Block block(call, place, memory);
    const bool split = call.states != nullptr;
    const int64_t first_span = split ? call.first_span + place.block.z : 0;
    const int last_tile = split ? static_cast<int>((first_span + 1) * kTilesPerSpan) : kNoTile;
    block.start(static_cast<int>(first_span * kTilesPerSpan));
    for (int tile = block.nearest_tile(); tile < last_tile; tile = block.nearest_tile()) {
      const int readers = block.find_readers(tile);
      block.attend_tile<V>(tile, readers);
    }
    __syncthreads();
    const int Dv = block.total.value_dim;
    for (int row = block.warp; row < block.rows(); row += block.warps) {
      if (block.row_span[row] >= 0) merge_row(block.span[row], block.total[row], block.lane, Dv);
      __syncwarp();
      if (!split) {
        finish_row(block.total[row], block.lane, Dv, output_of(call, block, row));
        continue;
      }
      const Row to = put_aside(call, place, first_span == 0 ? -1 : int64_t{place.block.z})[row], from = block.total[row];
      if (block.lane == 0) *to.m = *from.m;
      if (block.lane < kLanes) to.l[block.lane] = from.l[block.lane];
      for (int d = block.lane; d < Dv; d += kWarp) to.o[d] = from.o[d];
    }
  }
};

// Spans [first_span, first_span + count) into the totals, in order; a warp a row.
struct Merge {
  Call call;
  int count;
  bool last;

  __device__ void operator()(const Place& place) const {
    extern __shared__ __align__(16) float memory[];
    const Block block(call, place, memory);
    for (int row = block.warp; row < block.rows(); row += block.warps) {
      const Row to = put_aside(call, place, -1)[row];
      for (int begin = call.first_span == 0 ? 1 : 0; begin < count; begin += kWarp) {
        const int own = begin + block.lane;
        const float m = own < count ? *put_aside(call, place, own)[row].m : -INFINITY;
        for (unsigned some = __ballot_sync(0xffffffffu, m != -INFINITY); some != 0; some &= some - 1) {
          merge_row(put_aside(call, place, begin + __ffs(static_cast<int>(some)) - 1)[row], to, block.lane,
                    block.total.value_dim);
          __syncwarp();
        }
      }
      if (last) finish_row(to, block.lane, block.total.value_dim, output_of(call, block, row));
    }
  }
};

constexpr int kMostThreads = kMostRows * kWarp / kRowsPerWarp;
void launch_attend(const Call& call, dim3 grid) {
  const auto run = [&](auto vectors) {
    constexpr int V = decltype(vectors)::value;
    launch<kMostThreads, V <= 2 ? 2 : 1>("attention", Attend<V>{call}, grid, call.cut.threads(), call.cut.shared_bytes());
  };
  const int64_t vectors = ceil_div(call.cut.value_dim, kWarp);
  if (vectors <= 1) return run(std::integral_constant<int, 1>());
  if (vectors <= 2) return run(std::integral_constant<int, 2>());
  vectors <= 4 ? run(std::integral_constant<int, 4>()) : run(std::integral_constant<int, 8>());
}

AttentionSize size_of(const AttendRows& rows) {
  return {rows.q.extent[0], rows.num_keys, rows.q.extent[1], rows.kv_heads, rows.q.extent[2], rows.o.extent[2]};
}

int64_t states_together(int64_t tasks, int64_t spans) { return std::min(spans, std::max<int64_t>(1, kMostStates / tasks)); }

}  // namespace

void attend(const Context& context, const AttendRows& rows) {
  if (rows.q.extent[2] > kMostHeadDims || rows.o.extent[2] > kMostHeadDims)
    throw Error(ErrorCode::kUnsupported, "attention: heads of {} dimensions; on device '{}' at most {}", rows.q.extent[2],
                context.device.name(), kMostHeadDims);
  Call call{rows, Cut(size_of(rows))};
  const Cut& cut = call.cut;
  dim3 grid(grid_of(cut.tiles(rows.q.extent[0])), grid_of(rows.kv_heads * cut.parts()));
  const int64_t tasks = int64_t{grid.x} * grid.y;
  const int64_t spans = ceil_div(rows.first + rows.q.extent[0], kAttendSpan);
  if (tasks >= kEnoughTasks || spans == 1) return launch_attend(call, grid);
  const Workspace::Scope scope(context.workspace);
  call.together = states_together(tasks, spans);
  call.states = context.workspace.take<float>(tasks * (call.together + 1), cut.state_floats()).data;
  for (call.first_span = 0; call.first_span < spans; call.first_span += call.together) {
    const int64_t count = std::min(call.together, spans - call.first_span);
    grid.z = grid_of(count);
    launch_attend(call, grid);
    grid.z = 1;
    launch<kMostThreads>("attention: merge", Merge{call, static_cast<int>(count), call.first_span + count == spans}, grid,
                         cut.threads(), cut.shared_bytes());
  }
}

int64_t attend_scratch_bytes(const AttentionSize& most) {
  const Cut cut(most);
  const int64_t spans = ceil_div(most.keys, kAttendSpan);
  const int64_t tasks = std::min(kEnoughTasks, cut.tiles(most.rows) * most.kv_heads * cut.parts());
  const int64_t states = spans > 1 ? tasks + std::max(kMostStates, tasks) : 0;
  return Workspace::bytes_of<float>(states * cut.state_floats());
}

}  // namespace sala::ops::cuda
