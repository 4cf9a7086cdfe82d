// The best blocks of each row: a warp a row and KV head.
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/select/select_cuda.cuh"

namespace sala::ops::cuda {
namespace {

constexpr int kWarp = 32, kWarps = 8;  // of a block of threads
constexpr int kMostCandidates = 256;   // of a warp
constexpr int kManyGroups = 8;         // of blocks a lane, whose best ones bound the wanted ones from below
constexpr int kLeast = 0, kNone = -1;  // what may be chosen has a score of at least 0
constexpr unsigned kAll = 0xffffffffu;

// A row, by a warp.
struct Chooser {
  const Batch& batch;
  int64_t kv_heads, row, head, r;  // r: of the call
  int lane;
  float* pooled;  // [blocks]
  // Shared memory of the warp.
  int32_t* chosen;  // [slots]
  float* score;     // [candidates]
  int32_t* id;      // [candidates]

  __device__ int64_t lower_bound(int64_t block) const {
    int64_t begin = 0, end = batch.num_listed;
    while (begin < end) {
      const int64_t middle = (begin + end) / 2;
      if (batch.listed[middle] < block)
        begin = middle + 1;
      else
        end = middle;
    }
    return begin;
  }
  __device__ bool listed(int64_t block) const {
    const int64_t at = batch.num_listed == 0 ? 0 : lower_bound(block);
    return at < batch.num_listed && batch.listed[at] == block;
  }
  // kNone for a block that may not be chosen by score.
  __device__ float candidate(int64_t block) const { return listed(block) ? kNone : pooled[block]; }
  __device__ bool has_window(int64_t block) const {
    const int64_t window = batch.shape.ratio() * block - batch.shape.extra();
    return (window < 0 ? 0 : window) < batch.shape.visible_fine(r);
  }
  __device__ void pool();
  __device__ int include();
  __device__ int lowest(int count, int wanted);
  __device__ int best(int count, int wanted);
  template <int kGroups>
  __device__ float bound(int places);
  __device__ int best_of_few(int count, int wanted, int candidates);
  __device__ int best_one_by_one(int count, int wanted);
  __device__ void write(int count);
  __device__ void show(bool scored);
};

// a before b: the better score, of equal ones the lower id.
__device__ bool before(float a, int a_id, float b, int b_id) { return a != b ? a > b : a_id < b_id; }

// Where P was written: the maximum of the visible windows that a block overlaps.
__device__ void Chooser::pool() {
  const float* p = batch.scores + (row * kv_heads + head) * batch.scores_stride;
  const int64_t ratio = batch.shape.ratio(), extra = batch.shape.extra(), visible = batch.shape.visible_fine(r);
  for (int64_t block = lane; block <= batch.shape.own_block(r); block += kWarp) {
    float most = -INFINITY;
    const int64_t begin = ratio * block - extra, end = ratio * (block + 1);
    for (int64_t j = begin < 0 ? 0 : begin; j < end && j < visible; ++j) most = fmaxf(most, p[j]);
    pooled[block] = most;
  }
  __syncwarp();
}

// Listed blocks that come first; gives how many.
__device__ int Chooser::include() {
  if (!batch.preferred) return 0;
  const int64_t begin = lower_bound(batch.shape.init(r)), end = lower_bound(batch.shape.first_local(r));
  const int64_t slots = batch.shape.free_slots(r), count = end - begin < slots ? end - begin : slots;
  for (int64_t i = lane; i < count; i += kWarp) chosen[i] = batch.listed[begin + i];
  __syncwarp();
  return static_cast<int>(count);
}

// The lowest blocks that are not listed.
__device__ int Chooser::lowest(int count, int wanted) {
  const int64_t end = batch.shape.first_local(r);
  for (int64_t begin = batch.shape.init(r); begin < end && count < wanted; begin += kWarp) {
    const int64_t block = begin + lane;
    const bool open = block < end && !listed(block);
    const unsigned all = __ballot_sync(kAll, open);
    const int place = count + __popc(all & ((1u << lane) - 1));
    if (open && place < wanted) chosen[place] = static_cast<int32_t>(block);
    count = min(wanted, count + __popc(all));
  }
  __syncwarp();
  return count;
}

// A score that at least `places` blocks have, found among the best ones of kGroups groups of blocks a lane; the least that
// may be chosen, where there are fewer.
template <int kGroups>
__device__ float Chooser::bound(int places) {
  const int64_t begin = batch.shape.init(r), end = batch.shape.first_local(r);
  int most[kGroups];  // bits of the scores: those of numbers from 0 on are in the order of the numbers
#pragma unroll
  for (int g = 0; g < kGroups; ++g) most[g] = kNone;
  for (int64_t at = begin + lane; at < end; at += kManyGroups * kWarp) {
    float value[kManyGroups];
#pragma unroll
    for (int n = 0; n < kManyGroups; ++n) value[n] = at + n * kWarp < end ? candidate(at + n * kWarp) : kNone;
#pragma unroll
    for (int n = 0; n < kManyGroups; ++n) {
      int& own = most[n % kGroups];
      if (value[n] >= kLeast) own = max(own, __float_as_int(value[n] + 0.0f));  // + 0 turns a -0 into 0
    }
  }
  const auto at_least = [&](int bits) {
    int count = 0;
#pragma unroll
    for (int g = 0; g < kGroups; ++g) count += __popc(__ballot_sync(kAll, most[g] >= bits));
    return count;
  };
  int bits = 0;
  for (int bit = 30; bit >= 0; --bit) {
    const int count = at_least(bits | 1 << bit);
    if (count < places) continue;
    bits |= 1 << bit;
    if (count == places) break;
  }
  return __int_as_float(bits);
}

__device__ int Chooser::best(int count, int wanted) {
  const int64_t begin = batch.shape.init(r), end = batch.shape.first_local(r);
  const int places = wanted - count;
  if (places <= 0) return count;
  if (places > kWarp * kManyGroups) return best_one_by_one(count, wanted);
  const float least = places <= kWarp ? bound<2>(places) : bound<kManyGroups>(places);
  int candidates = 0;
  for (int64_t at = begin; at < end; at += 4 * kWarp) {
    float value[4];
#pragma unroll
    for (int n = 0; n < 4; ++n) value[n] = at + n * kWarp + lane < end ? candidate(at + n * kWarp + lane) : kNone;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const unsigned good = __ballot_sync(kAll, value[n] >= least);
      if (good == 0) continue;
      const int place = candidates + __popc(good & ((1u << lane) - 1));
      if (value[n] >= least && place < kMostCandidates)
        score[place] = value[n], id[place] = static_cast<int32_t>(at + n * kWarp + lane);
      candidates += __popc(good);
    }
  }
  __syncwarp();
  return candidates <= kMostCandidates ? best_of_few(count, wanted, candidates) : best_one_by_one(count, wanted);
}

// Candidates come with ascending ids.
__device__ int Chooser::best_of_few(int count, int wanted, int candidates) {
  for (int begin = 0; begin < candidates; begin += kWarp) {
    const int i = begin + lane;
    int rank = wanted;
    if (i < candidates) {
      rank = count;
      for (int j = 0; j < candidates; ++j) rank += before(score[j], j, score[i], i);
    }
    if (rank < wanted) chosen[rank] = id[i];
  }
  __syncwarp();
  return count + candidates < wanted ? count + candidates : wanted;
}

__device__ int Chooser::best_one_by_one(int count, int wanted) {
  float last = INFINITY;
  int last_id = kNone;
  for (; count < wanted; ++count) {
    float value = kNone;
    int at = 0x7fffffff;
    for (int64_t block = batch.shape.init(r) + lane; block < batch.shape.first_local(r); block += kWarp) {
      const float own = candidate(block);
      const auto own_id = static_cast<int>(block);
      if (own >= kLeast && before(last, last_id, own, own_id) && before(own, own_id, value, at)) value = own, at = own_id;
    }
    for (int half = kWarp / 2; half > 0; half /= 2) {
      const float other = __shfl_xor_sync(kAll, value, half);
      const int other_id = __shfl_xor_sync(kAll, at, half);
      if (before(other, other_id, value, at)) value = other, at = other_id;
    }
    last = value, last_id = at;
    if (last < kLeast) break;
    if (lane == 0) chosen[count] = last_id;
  }
  __syncwarp();
  return count;
}

// Forced blocks and the chosen ones, ascending, padded with -1.
__device__ void Chooser::write(int count) {
  const auto& to = batch.blocks;
  int32_t* out = to.data + r * to.stride[0] + head * to.stride[1];
  const int64_t init = batch.shape.init(r), local = batch.shape.first_local(r);
  const int64_t end = init + count, locals = batch.shape.own_block(r) - local + 1;
  for (int64_t i = lane; i < to.extent[2]; i += kWarp)
    if (i < init)
      out[i] = static_cast<int32_t>(i);
    else if (i >= end)
      out[i] = i < end + locals ? static_cast<int32_t>(local + i - end) : kNone;
  for (int i = lane; i < count; i += kWarp) {
    int place = 0;
    for (int j = 0; j < count; ++j) place += chosen[j] < chosen[i];
    out[init + place] = chosen[i];
  }
}

// The scores as the caller sees them: forced blocks are infinite, blocks after the query are none.
__device__ void Chooser::show(bool scored) {
  const int64_t init = batch.shape.init(r), local = batch.shape.first_local(r), own = batch.shape.own_block(r);
  for (int64_t block = lane; block < batch.score_blocks; block += kWarp) {
    if (block > own)
      pooled[block] = -INFINITY;
    else if (!scored || block < init || block >= local)
      pooled[block] = INFINITY;
    else if (!has_window(block))
      pooled[block] = -INFINITY;
  }
}

struct Choose {
  Batch batch;
  int64_t kv_heads;

  __device__ void operator()(const Place& place) const {
    extern __shared__ int32_t all_chosen[];  // [warps, slots]
    __shared__ float score[kWarps][kMostCandidates];
    __shared__ int32_t id[kWarps][kMostCandidates];
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t task = int64_t{place.block.x} * kWarps + warp, row = task / kv_heads, head = task - row * kv_heads;
    if (row >= batch.count) return;
    const int64_t r = batch.first_row + row;
    Chooser chooser{
        batch,       kv_heads, row, head, r, lane, batch.pooled_of(row, head), all_chosen + warp * batch.blocks.extent[2],
        score[warp], id[warp]};
    const bool scored = batch.shape.needs_scores(r, batch.wanted);
    if (scored && !batch.pooled_here()) chooser.pool();
    const auto wanted = static_cast<int>(batch.shape.free_slots(r));
    const int included = chooser.include();
    const int count = scored ? chooser.best(included, wanted) : chooser.lowest(included, wanted);
    chooser.write(count);
    if (batch.wanted) chooser.show(scored);
  }
};

}  // namespace

void choose_blocks(const Batch& batch, int64_t kv_heads) {
  launch<kWarp * kWarps>("select_blocks: choice", Choose{batch, kv_heads}, grid_of(ceil_div(batch.count * kv_heads, kWarps)),
                         kWarp * kWarps, kWarps * batch.blocks.extent[2] * static_cast<int64_t>(sizeof(int32_t)));
}

}  // namespace sala::ops::cuda
