// Rows in batches: normalisers of all rows (one block of threads a span of coarse keys), scores of 128 rows and 64 fine keys
// at a time as a matrix product whose results never leave the registers before they are pooled, then the best blocks of each
// row.
#include <algorithm>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/cuda_limits.h"
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/exact_math.h"
#include "sim/ops/select/select_cuda.cuh"

namespace sala::ops::cuda {
namespace {

constexpr int kTile = 64, kRows = 128, kThreads = 128;  // keys, rows and threads of a block; 8 x 8 scores a thread
constexpr int kQueryStride = kRows + 4;                 // spreads a transposed store over the banks
constexpr int kTilesPerSpan = static_cast<int>(kLseSpan) / kTile;
constexpr float kLowest = -3.402823466e38f;  // of a key that is not visible
constexpr int kPanel = static_cast<int>(PackedKeys::kPanel);

// Shared memory of a block: queries [D, 132] and keys [stages, D, 64]. With two stages the keys of the next tile come while
// one is multiplied.
__host__ __device__ int stages_of(int64_t dim) { return dim <= 64 ? 2 : 1; }
int64_t shared_bytes(int64_t dim) { return dim * (kQueryStride + stages_of(dim) * kTile) * 4; }

// Rows [first, first + 128) of `count`, transposed and scaled; row_of(row) points to a query.
template <class RowOf>
__device__ void load_queries(float* queries, int dim, int64_t first, int64_t count, float scale, const RowOf& row_of) {
  for (int i = threadIdx.x; i < kRows * dim; i += kThreads) {
    const int row = i / dim, d = i % dim;
    queries[d * kQueryStride + row] = first + row < count ? row_of(first + row)[d] * scale : 0.0f;
  }
}

// 64 keys from whole panels, as [D, 64], later; `keys` exist.
__device__ void load_keys(float* to, int dim, const float* panels, int64_t tile, int64_t keys) {
  const float* from = panels + tile * kTile * dim;
  const int64_t left = keys - tile * kTile;
  for (int panel = 0; panel < kTile / kPanel; ++panel)
    for (int i = threadIdx.x; i < dim * (kPanel / 4); i += kThreads) {
      const bool exists = panel * kPanel < left;
      copy_later<16>(to + i / (kPanel / 4) * kTile + panel * kPanel + i % (kPanel / 4) * 4,
                     exists ? from + panel * dim * kPanel + i * 4 : panels, exists);
    }
  end_group();
}

// The keys of a range of tiles, one tile after the other.
struct KeyTiles {
  float* memory;
  const float* panels;
  int dim;
  int64_t keys, end;  // keys that exist; behind the last tile

  __device__ float* at(int64_t tile) const { return memory + tile % stages_of(dim) * dim * kTile; }
  __device__ void start(int64_t tile) const {
    if (stages_of(dim) == 2) load_keys(at(tile), dim, panels, tile, keys);
  }
  // All threads have done with the tile before when this returns, and see what was stored before it was called.
  __device__ const float* get(int64_t tile) const {
    if (stages_of(dim) == 1) {
      __syncthreads();
      load_keys(at(tile), dim, panels, tile, keys);
    }
    wait_for_groups<0>();
    __syncthreads();
    if (stages_of(dim) == 2 && tile + 1 < end) load_keys(at(tile + 1), dim, panels, tile + 1, keys);
    return at(tile);
  }
};

// sum[r][c] of rows ty * 4 + r % 4 + 64 * (r / 4) and the keys at place[c / kWide] + c % kWide of the tile; one chain over
// d.
template <int kWide>
__device__ void multiply(const float* queries, const float* keys, int dim, int ty, const int (&place)[8 / kWide],
                         float (&sum)[8][8]) {
#pragma unroll
  for (int r = 0; r < 8; ++r)
#pragma unroll
    for (int c = 0; c < 8; ++c) sum[r][c] = 0;
#pragma unroll 8
  for (int d = 0; d < dim; ++d) {
    float a[8], b[8];
    *reinterpret_cast<float4*>(a) = *reinterpret_cast<const float4*>(queries + d * kQueryStride + ty * 4);
    *reinterpret_cast<float4*>(a + 4) = *reinterpret_cast<const float4*>(queries + d * kQueryStride + 64 + ty * 4);
#pragma unroll
    for (int part = 0; part < 8 / kWide; ++part) {
      const float* from = keys + d * kTile + place[part];
      if constexpr (kWide == 4)
        *reinterpret_cast<float4*>(b + part * 4) = *reinterpret_cast<const float4*>(from);
      else
        *reinterpret_cast<float2*>(b + part * 2) = *reinterpret_cast<const float2*>(from);
    }
#pragma unroll
    for (int r = 0; r < 8; ++r)
#pragma unroll
      for (int c = 0; c < 8; ++c) sum[r][c] = fmaf(a[r], b[c], sum[r][c]);
  }
}

__device__ int row_of_thread(int ty, int r) { return ty * 4 + r % 4 + r / 4 * 64; }

// Of `visible` keys those in the tile, at most 64.
__device__ int visible_here(int64_t visible, int64_t tile) {
  const int64_t left = visible - tile * kTile;
  return static_cast<int>(left < 0 ? 0 : left > kTile ? kTile : left);
}

// One span of coarse keys: lanes 2 tx and 2 tx + 1 of each of a thread's rows, as select_lse() has them.
struct Lse {
  Batch batch;

  __device__ void operator()(const Place& place) const {
    extern __shared__ __align__(16) float memory[];
    const int dim = static_cast<int>(batch.q.extent[2]), tx = threadIdx.x % 8, ty = threadIdx.x / 8;
    const int64_t head = place.block.z, first = int64_t{place.block.x} * kRows, count = batch.count * batch.group;
    float* const queries = memory;
    const auto token_of = [&](int64_t row) { return batch.first_row + row / batch.group; };
    const int64_t last = (first + kRows < count ? first + kRows : count) - 1;
    const int64_t least = batch.shape.visible_coarse(token_of(first)), most = batch.shape.visible_coarse(token_of(last));
    const int64_t begin = int64_t{place.block.y} * kTilesPerSpan, tiles = (most + kTile - 1) / kTile;
    const int64_t end = tiles < begin + kTilesPerSpan ? tiles : begin + kTilesPerSpan;
    const KeyTiles keys{memory + dim * kQueryStride, batch.coarse + head * batch.coarse_stride, dim, batch.num_coarse, end};
    if (begin < end) keys.start(begin);
    load_queries(queries, dim, first, count, batch.scale, [&](int64_t row) {
      return batch.q.data + token_of(row) * batch.q.stride[0] + (head * batch.group + row % batch.group) * batch.q.stride[1];
    });
    int64_t visible[8];
    float m[8][2], z[8][2];
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const int64_t row = first + row_of_thread(ty, r);
      visible[r] = row < count ? batch.shape.visible_coarse(token_of(row)) : 0;
#pragma unroll
      for (int lane = 0; lane < 2; ++lane) m[r][lane] = kLowest, z[r][lane] = 0;
    }
    const int at[4] = {2 * tx, kPanel + 2 * tx, 2 * kPanel + 2 * tx, 3 * kPanel + 2 * tx};
    for (int64_t tile = begin; tile < end; ++tile) {
      float sum[8][8];
      multiply<2>(queries, keys.get(tile), dim, ty, at, sum);
      if (tile * kTile + kTile > least) hide(visible, tile, at, sum);
#pragma unroll
      for (int r = 0; r < 8; ++r)
#pragma unroll
        for (int lane = 0; lane < 2; ++lane) {
          float s[4];
#pragma unroll
          for (int panel = 0; panel < 4; ++panel) s[panel] = sum[r][panel * 2 + lane];
          const float now = fmaxf(m[r][lane], fmaxf(fmaxf(s[0], s[1]), fmaxf(s[2], s[3])));
#pragma unroll
          for (int panel = 0; panel < 4; ++panel) s[panel] = exp_below_88(s[panel] - now);
          // where the maximum stays the factor is 1
          z[r][lane] = fmaf(z[r][lane], exp_below_88(m[r][lane] - now), (s[0] + s[1]) + (s[2] + s[3]));
          m[r][lane] = now;
        }
    }
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const int64_t row = first + row_of_thread(ty, r);
      if (row >= count) continue;
      float* part = batch.parts + ((place.block.y * place.grid.z + head) * count + row) * 2 * kLanes;
#pragma unroll
      for (int lane = 0; lane < 2; ++lane) part[2 * tx + lane] = m[r][lane], part[kLanes + 2 * tx + lane] = z[r][lane];
    }
  }
  static __device__ void hide(const int64_t (&visible)[8], int64_t tile, const int (&at)[4], float (&sum)[8][8]) {
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const int here = visible_here(visible[r], tile);
#pragma unroll
      for (int c = 0; c < 8; ++c)
        if (at[c / 2] + c % 2 >= here) sum[r][c] = kLowest;
    }
  }
};

// L of each row: the spans merged in order, then the lanes. Sixteen threads a row.
struct MergeLse {
  Batch batch;
  int spans;

  __device__ void operator()(const Place& place) const {
    const int64_t count = batch.count * batch.group,
                  at = int64_t{place.block.x} * (kThreads / kLanes) + threadIdx.x / kLanes;
    const int lane = threadIdx.x % kLanes;
    const bool exists = at < count;
    const int64_t row = exists ? at : 0, head = place.block.y;
    float m = kLowest, z = 0;
    for (int span = 0; span < spans; ++span) {
      const float* part = batch.parts + ((int64_t{span} * place.grid.y + head) * count + row) * 2 * kLanes;
      const MergeWeights weights = merge_weights(m, part[lane]);
      z = merge(z, part[kLanes + lane], weights);
      m = weights.m;
    }
    float largest = m;
    for (int half = 8; half > 0; half /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, half));
    const float sum = reduce_add16(z * exp_below_88(m - largest));
    if (exists && lane == 0)
      batch.lse[head * count + row] = static_cast<float>(static_cast<double>(largest) + log_exact(static_cast<double>(sum)));
  }
};

// P of 128 tokens and a range of tiles of fine keys. kPooled: four windows a block and one that overlaps the next, pooled
// here; else P itself is written.
template <bool kPooled>
struct Scores {
  Batch batch;
  int tiles_per_range;

  __device__ void operator()(const Place& place) const {
    extern __shared__ __align__(16) float memory[];
    const int dim = static_cast<int>(batch.q.extent[2]), tx = threadIdx.x % 8, ty = threadIdx.x / 8;
    const int64_t head = place.block.z, first = int64_t{place.block.x} * kRows;
    float* const queries = memory;
    const int64_t last = (first + kRows < batch.count ? first + kRows : batch.count) - 1;
    const int64_t least = batch.shape.visible_fine(batch.first_row + first);
    const int64_t tiles = (batch.shape.visible_fine(batch.first_row + last) + kTile - 1) / kTile;
    const int64_t begin = int64_t{place.block.y} * tiles_per_range;
    const int64_t end = begin + tiles_per_range < tiles ? begin + tiles_per_range : tiles;
    if (begin >= end) return;
    // The tile before the range gives the key that its first block shares with it.
    const int64_t from = kPooled && begin > 0 ? begin - 1 : begin;
    const KeyTiles keys{memory + dim * kQueryStride, batch.fine + head * batch.fine_stride, dim, batch.num_fine, end};
    keys.start(from);
    const auto load = [&](int64_t h) {
      load_queries(queries, dim, first, batch.count, batch.scale, [&](int64_t row) {
        return batch.q.data + (batch.first_row + row) * batch.q.stride[0] + (head * batch.group + h) * batch.q.stride[1];
      });
    };
    load(0);
    const int at[2] = {tx * 4, 32 + tx * 4};
    int64_t visible[8];
    float lse[8], previous[8];  // previous: P of the last key of the tile before, of the thread with tx 7
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const int64_t row = first + row_of_thread(ty, r);
      visible[r] = row < batch.count ? batch.shape.visible_fine(batch.first_row + row) : 0;
      previous[r] = -INFINITY;
    }
    for (int64_t tile = from; tile < end; ++tile) {
      const float* const tile_keys = keys.get(tile);
      float p[8][8];
      for (int64_t h = 0; h < batch.group; ++h) {
        if (batch.group > 1) {
          __syncthreads();
          load(h);
          __syncthreads();
        }
        if (batch.group > 1 || tile == from) {
#pragma unroll
          for (int r = 0; r < 8; ++r) {
            const int64_t row = min(first + row_of_thread(ty, r), batch.count - 1);
            lse[r] = batch.lse[head * batch.count * batch.group + row * batch.group + h];
          }
        }
        float sum[8][8];
        multiply<4>(queries, tile_keys, dim, ty, at, sum);
#pragma unroll
        for (int r = 0; r < 8; ++r)
#pragma unroll
          for (int c = 0; c < 8; ++c) {
            const float e = exp_below_88(fminf(sum[r][c] - lse[r], 80.0f));
            p[r][c] = h == 0 ? e : p[r][c] + e;
          }
      }
      if (batch.numerics == Numerics::kBf16) {
#pragma unroll
        for (int r = 0; r < 8; ++r)
#pragma unroll
          for (int c = 0; c < 8; ++c) p[r][c] = round_bf16(p[r][c]);
      }
      if (tile * kTile + kTile > least) {
#pragma unroll
        for (int r = 0; r < 8; ++r) {
          const int here = visible_here(visible[r], tile);
#pragma unroll
          for (int c = 0; c < 8; ++c)
            if (at[c / 4] + c % 4 >= here) p[r][c] = -INFINITY;
        }
      }
#pragma unroll
      for (int r = 0; r < 8; ++r) {
        const int64_t row = first + row_of_thread(ty, r);
        if constexpr (kPooled) {
          // The key in front of each four belongs to the thread before; tx 0 gets it from tx 7: of its first half for the
          // second half, of the tile before for the first.
          const float low = __shfl_up_sync(0xffffffffu, p[r][3], 1, 8), high = __shfl_up_sync(0xffffffffu, p[r][7], 1, 8);
          const float middle = __shfl_sync(0xffffffffu, p[r][3], 7, 8), before = __shfl_sync(0xffffffffu, previous[r], 7, 8);
          previous[r] = p[r][7];
          const float first_four = fmaxf(fmaxf(p[r][0], p[r][1]), fmaxf(p[r][2], p[r][3]));
          const float second_four = fmaxf(fmaxf(p[r][4], p[r][5]), fmaxf(p[r][6], p[r][7]));
          if (row >= batch.count || tile < begin) continue;
          float* out = batch.pooled_of(row, head);
          const int64_t block = tile * (kTile / 4) + tx;
          if (block < batch.pooled_blocks) out[block] = fmaxf(first_four, tx == 0 ? before : low);
          if (block + 8 < batch.pooled_blocks) out[block + 8] = fmaxf(second_four, tx == 0 ? middle : high);
        } else if (row < batch.count) {
          float* out = batch.scores + (row * place.grid.z + head) * batch.scores_stride + tile * kTile;
#pragma unroll
          for (int c = 0; c < 8; ++c)
            if (tile * kTile + at[c / 4] + c % 4 < batch.scores_stride) out[at[c / 4] + c % 4] = p[r][c];
        }
      }
    }
  }
};

void run_lse(const Batch& batch, int64_t kv_heads) {
  const int64_t rows = batch.count * batch.group;
  const int64_t most = batch.shape.visible_coarse(batch.first_row + batch.count - 1);
  const int64_t spans = ceil_div(most, kLseSpan);
  launch<kThreads, 2>("select_blocks: normalisers", Lse{batch},
                      dim3(grid_of(ceil_div(rows, kRows)), grid_of(spans), grid_of(kv_heads)), kThreads,
                      shared_bytes(batch.q.extent[2]));
  launch<kThreads>("select_blocks: normalisers", MergeLse{batch, static_cast<int>(spans)},
                   dim3(grid_of(ceil_div(rows, kThreads / kLanes)), grid_of(kv_heads)));
}

void run_scores(const Batch& batch, int64_t kv_heads) {
  constexpr int64_t kWanted = 1024, kMostTiles = 64, kLeastTiles = 4;  // blocks of threads; tiles of one
  const int64_t tiles = ceil_div(batch.shape.visible_fine(batch.first_row + batch.count - 1), kTile);
  const int64_t row_tiles = ceil_div(batch.count, kRows);
  const int64_t range = std::clamp(tiles * row_tiles * kv_heads / kWanted, kLeastTiles, kMostTiles);
  const dim3 grid(grid_of(row_tiles), grid_of(ceil_div(tiles, range)), grid_of(kv_heads));
  const auto run = [&](const auto& scores) {
    launch<kThreads, 2>("select_blocks: scores", scores, grid, kThreads, shared_bytes(batch.q.extent[2]));
  };
  batch.pooled_here() ? run(Scores<true>{batch, static_cast<int>(range)})
                      : run(Scores<false>{batch, static_cast<int>(range)});
}

// What a call needs for each of its rows, beside what it needs once.
struct Need {
  int64_t blocks, fine, spans, kv_heads, heads;
  bool pooled_here;

  int64_t row_bytes() const {
    const int64_t scores = kv_heads * (blocks + (pooled_here ? 0 : fine));
    return (scores + heads * (1 + spans * 2 * kLanes)) * static_cast<int64_t>(sizeof(float));
  }
  // How many go together.
  int64_t rows(int64_t all) const {
    constexpr int64_t kMostBytes = int64_t{256} << 20;
    return std::clamp<int64_t>(kMostBytes / row_bytes() / kRows * kRows, kRows, std::max<int64_t>(all, 1) + kRows - 1);
  }
};

Need need_of(const SelectShape& shape, int64_t last_row, int64_t heads, int64_t kv_heads) {
  return {shape.own_block(last_row) + 1,
          std::max<int64_t>(1, shape.visible_fine(last_row)),
          ceil_div(std::max<int64_t>(1, shape.visible_coarse(last_row)), kLseSpan),
          kv_heads,
          heads,
          shape.ratio() == 4 && shape.extra() == 1};
}

void run_batch(const Context& context, const SelectCall& call, const Need& need, int64_t first, int64_t count, Batch batch) {
  const Workspace::Scope scope(context.workspace);
  const auto floats = [&](auto... extents) { return context.workspace.take<float>(extents...).data; };
  batch.first_row = first;
  batch.count = count;
  batch.lse = floats(need.heads, count);
  batch.parts = floats(need.spans, need.heads, count, 2 * kLanes);
  batch.pooled_blocks = need.blocks;
  if (call.scores != nullptr) {
    batch.pooled = call.scores->data + first * call.scores->stride[0];
    batch.pooled_row = call.scores->stride[0], batch.pooled_head = call.scores->stride[1];
  } else {
    batch.pooled = floats(count, need.kv_heads, need.blocks);
    batch.pooled_row = need.kv_heads * need.blocks, batch.pooled_head = need.blocks;
  }
  if (!need.pooled_here) {
    batch.scores = floats(count, need.kv_heads, need.fine);
    batch.scores_stride = need.fine;
  }
  // Rows that need none see no coarse key or few blocks; what is computed for them is not looked at.
  if (batch.shape.needs_scores(first + count - 1, call.scores != nullptr)) {
    run_lse(batch, need.kv_heads);
    run_scores(batch, need.kv_heads);
  }
  choose_blocks(batch, need.kv_heads);
}

}  // namespace

void select_blocks(const Context& context, const SelectCall& call) {
  const int64_t R = call.q.extent[0], dim = call.q.extent[2], kv_heads = call.fine.kv_heads();
  if (dim > kMostHeadDims)
    throw Error(ErrorCode::kUnsupported, "select_blocks: heads of {} dimensions; on device '{}' at most {}", dim,
                context.device.name(), kMostHeadDims);
  const PackedKeys& coarse = call.shape.exact_lse ? call.fine : call.coarse;
  Batch batch{};
  batch.shape = call.shape;
  batch.q = call.q;
  batch.group = call.q.extent[1] / kv_heads;
  batch.fine = call.fine.panels(0);
  batch.coarse = coarse.panels(0);
  batch.fine_stride = call.fine.panels(1) - batch.fine;
  batch.coarse_stride = coarse.panels(1) - batch.coarse;
  batch.num_fine = call.fine.size();
  batch.num_coarse = coarse.size();
  batch.scale = call.scale;
  batch.numerics = context.numerics;
  batch.wanted = call.scores != nullptr;
  batch.score_blocks = batch.wanted ? call.scores->extent[2] : 0;
  batch.preferred = call.preferred;
  batch.blocks = call.blocks;
  const Workspace::Scope scope(context.workspace);
  if (!call.listed.empty()) {
    batch.num_listed = static_cast<int64_t>(call.listed.size());
    int32_t* const listed = context.workspace.take<int32_t>(batch.num_listed).data;
    context.device.copy(listed, call.listed.data(), static_cast<int64_t>(call.listed.size_bytes()), Device::Copy::kFromHost);
    batch.listed = listed;
  }
  const Need need = need_of(call.shape, R - 1, call.q.extent[1], kv_heads);
  const int64_t step = need.rows(R);
  for (int64_t first = 0; first < R; first += step) {
    const int64_t count = std::min(step, R - first);
    run_batch(context, call, need_of(call.shape, first + count - 1, call.q.extent[1], kv_heads), first, count, batch);
  }
}

int64_t select_scratch_bytes(const SelectSize& most, const SelectParams& params) {
  SelectShape shape{0, 1, params.block_size, params.kernel_size, params.kernel_stride};
  shape.exact_lse = params.exact_lse;
  const Need need = need_of(shape, most.tokens - 1, most.heads, most.kv_heads);
  constexpr int64_t kMostBytes = int64_t{256} << 20, kAlign = 64;
  // Shorter calls take more rows of fewer bytes: never more than kMostBytes, or what 128 of the longest rows take.
  const int64_t rows = std::min(most.rows * need.row_bytes(), std::max(kMostBytes, kRows * need.row_bytes()));
  return rows + 5 * kAlign + Workspace::bytes_of<int32_t>(most.tokens / params.block_size + 1);
}

}  // namespace sala::ops::cuda
