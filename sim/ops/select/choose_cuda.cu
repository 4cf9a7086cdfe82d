// The best blocks of each row: one block of threads a row and KV head.
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/select/select_cuda.cuh"

namespace sala::ops::cuda {
namespace {

constexpr int kThreads = 256, kMostCandidates = 1024;

// A row, by all threads of a block.
struct Chooser {
  const Batch& batch;
  int64_t row, head, r;  // r: of the call
  float* pooled;         // [blocks]
  int32_t* chosen;       // [slots] in shared memory
  // Shared memory of the block.
  float* score;  // [candidates]
  int32_t* id;   // [candidates]
  int* counts;   // [2]

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
  // -1 for a block that may not be chosen by score.
  __device__ float candidate(int64_t block) const { return listed(block) ? -1.0f : pooled[block]; }
  __device__ bool has_window(int64_t block) const {
    const int64_t window = batch.shape.ratio() * block - batch.shape.extra();
    return (window < 0 ? 0 : window) < batch.shape.visible_fine(r);
  }
  __device__ void pool();
  __device__ int include();
  __device__ int lowest(int count, int wanted);
  __device__ int best(int count, int wanted);
  __device__ int best_of_few(int count, int wanted, int candidates);
  __device__ int best_one_by_one(int count, int wanted);
  __device__ void write(int count);
  __device__ void show(bool scored);
};

// a before b: the better score, of equal ones the lower id.
__device__ bool before(float a, int a_id, float b, int b_id) { return a != b ? a > b : a_id < b_id; }

// Where P was written: the maximum of the visible windows that a block overlaps.
__device__ void Chooser::pool() {
  const float* p = batch.scores + (row * gridDim.y + head) * batch.scores_stride;
  const int64_t ratio = batch.shape.ratio(), extra = batch.shape.extra(), visible = batch.shape.visible_fine(r);
  for (int64_t block = threadIdx.x; block <= batch.shape.own_block(r); block += kThreads) {
    float most = -INFINITY;
    const int64_t begin = ratio * block - extra, end = ratio * (block + 1);
    for (int64_t j = begin < 0 ? 0 : begin; j < end && j < visible; ++j) most = fmaxf(most, p[j]);
    pooled[block] = most;
  }
  __syncthreads();
}

// Listed blocks that come first; gives how many.
__device__ int Chooser::include() {
  if (!batch.preferred) return 0;
  const int64_t begin = lower_bound(batch.shape.init(r)), end = lower_bound(batch.shape.first_local(r));
  const int64_t slots = batch.shape.free_slots(r), count = end - begin < slots ? end - begin : slots;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) chosen[i] = batch.listed[begin + i];
  __syncthreads();
  return static_cast<int>(count);
}

// The lowest blocks that are not listed.
__device__ int Chooser::lowest(int count, int wanted) {
  if (threadIdx.x == 0) {
    for (int64_t block = batch.shape.init(r); block < batch.shape.first_local(r) && count < wanted; ++block)
      if (!listed(block)) chosen[count++] = static_cast<int32_t>(block);
    counts[0] = count;
  }
  __syncthreads();
  return counts[0];
}

// Blocks that are at least as good as the `wanted - count`-th of the threads' best ones: few, unless many are equal.
__device__ int Chooser::best(int count, int wanted) {
  const int64_t begin = batch.shape.init(r), end = batch.shape.first_local(r);
  const int places = wanted - count;
  if (places <= 0) return count;
  if (places > kThreads) return best_one_by_one(count, wanted);
  float mine = -2.0f;
  for (int64_t block = begin + threadIdx.x; block < end; block += kThreads) mine = fmaxf(mine, candidate(block));
  score[threadIdx.x] = mine;
  if (threadIdx.x == 0) counts[0] = 0;
  __syncthreads();
  int rank = 0;
  for (int i = 0; i < kThreads; ++i) rank += before(score[i], i, mine, threadIdx.x);
  if (rank == places - 1) counts[1] = __float_as_int(fmaxf(mine, 0.0f));
  __syncthreads();
  const float least = __int_as_float(counts[1]);
  for (int64_t block = begin + threadIdx.x; block < end; block += kThreads) {
    const float value = candidate(block);
    if (!(value >= least)) continue;
    const int at = atomicAdd(&counts[0], 1);  // their order does not matter: they are ranked
    if (at < kMostCandidates) score[at] = value, id[at] = static_cast<int32_t>(block);
  }
  __syncthreads();
  const int candidates = counts[0];
  __syncthreads();
  return candidates <= kMostCandidates ? best_of_few(count, wanted, candidates) : best_one_by_one(count, wanted);
}

__device__ int Chooser::best_of_few(int count, int wanted, int candidates) {
  for (int i = threadIdx.x; i < candidates; i += kThreads) {
    int rank = 0;
    for (int j = 0; j < candidates; ++j) rank += before(score[j], id[j], score[i], id[i]);
    if (count + rank < wanted) chosen[count + rank] = id[i];
  }
  __syncthreads();
  return count + candidates < wanted ? count + candidates : wanted;
}

__device__ int Chooser::best_one_by_one(int count, int wanted) {
  float last = INFINITY;
  int last_id = -1;
  for (; count < wanted; ++count) {
    float value = -1.0f;
    int at = 0x7fffffff;
    for (int64_t block = batch.shape.init(r) + threadIdx.x; block < batch.shape.first_local(r); block += kThreads) {
      const float own = candidate(block);
      const auto own_id = static_cast<int>(block);
      if (own >= 0 && before(last, last_id, own, own_id) && before(own, own_id, value, at)) value = own, at = own_id;
    }
    score[threadIdx.x] = value, id[threadIdx.x] = at;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      const int other = threadIdx.x + half;
      if (threadIdx.x < half && before(score[other], id[other], score[threadIdx.x], id[threadIdx.x]))
        score[threadIdx.x] = score[other], id[threadIdx.x] = id[other];
      __syncthreads();
    }
    last = score[0], last_id = id[0];
    __syncthreads();
    if (last < 0) break;
    if (threadIdx.x == 0) chosen[count] = last_id;
  }
  __syncthreads();
  return count;
}

// Forced blocks and the chosen ones, ascending, padded with -1.
__device__ void Chooser::write(int count) {
  const auto& to = batch.blocks;
  int32_t* out = to.data + r * to.stride[0] + head * to.stride[1];
  const int64_t init = batch.shape.init(r), local = batch.shape.first_local(r);
  const int64_t end = init + count, locals = batch.shape.own_block(r) - local + 1;
  for (int64_t i = threadIdx.x; i < to.extent[2]; i += kThreads)
    if (i < init)
      out[i] = static_cast<int32_t>(i);
    else if (i >= end)
      out[i] = i < end + locals ? static_cast<int32_t>(local + i - end) : -1;
  for (int i = threadIdx.x; i < count; i += kThreads) {
    int place = 0;
    for (int j = 0; j < count; ++j) place += chosen[j] < chosen[i];
    out[init + place] = chosen[i];
  }
}

// The scores as the caller sees them: forced blocks are infinite, blocks after the query are none.
__device__ void Chooser::show(bool scored) {
  const int64_t init = batch.shape.init(r), local = batch.shape.first_local(r), own = batch.shape.own_block(r);
  for (int64_t block = threadIdx.x; block < batch.score_blocks; block += kThreads) {
    if (block > own)
      pooled[block] = -INFINITY;
    else if (!scored || block < init || block >= local)
      pooled[block] = INFINITY;
    else if (!has_window(block))
      pooled[block] = -INFINITY;
  }
}

__global__ void __launch_bounds__(kThreads) choose_kernel(const __grid_constant__ Batch batch) {
  extern __shared__ int32_t chosen[];
  __shared__ float score[kMostCandidates];
  __shared__ int32_t id[kMostCandidates];
  __shared__ int counts[2];
  const int64_t row = blockIdx.x, head = blockIdx.y, r = batch.first_row + row;
  Chooser chooser{batch, row, head, r, batch.pooled_of(row, head), chosen, score, id, counts};
  const bool scored = batch.shape.needs_scores(r, batch.wanted);
  if (scored && !batch.pooled_here()) chooser.pool();
  const auto wanted = static_cast<int>(batch.shape.free_slots(r));
  const int included = chooser.include();
  const int count = scored ? chooser.best(included, wanted) : chooser.lowest(included, wanted);
  chooser.write(count);
  if (batch.wanted) chooser.show(scored);
}

}  // namespace

void choose_blocks(const Batch& batch, int64_t kv_heads) {
  const auto bytes = static_cast<int>(batch.blocks.extent[2] * static_cast<int64_t>(sizeof(int32_t)));
  check(cudaFuncSetAttribute(choose_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "select_blocks");
  choose_kernel<<<dim3(grid_of(batch.count), grid_of(kv_heads)), kThreads, static_cast<size_t>(bytes), stream()>>>(batch);
  check_launch("select_blocks");
}

}  // namespace sala::ops::cuda
