// The chunks of a call side by side: one pass leaves the sum in front of every chunk, the next reads the outputs of all
// chunks at once.
#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/exact_math.h"
#include "sim/ops/lightning/lightning_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kChunk = static_cast<int>(LightningState::kChunk);
constexpr int kPowers = kChunk + 1;
constexpr int kMostDims = 256;

struct Call {
  LightningRows rows;
  const float* powers;  // [H, 65] exp(-s i)
  float* sums;          // [chunks, H, D, Dv] in front of each chunk; null: the call ends within its first one
  int64_t chunks;       // complete ones

  __device__ float power(int64_t h, int64_t i) const { return powers[h * kPowers + i]; }
  __device__ float* memory(int64_t h) const { return rows.memory + h * rows.head_size; }
  __device__ int64_t tokens() const { return rows.buffered + rows.T; }  // since the start of the first chunk
  // Number d of the key, e of the value of token p, which exists.
  __device__ float key(int64_t h, int64_t p, int64_t d) const {
    if (p < rows.buffered) return memory(h)[rows.D * rows.Dv + d * kChunk + p];
    return rows.k.data[(p - rows.buffered) * rows.k.stride[0] + h * rows.k.stride[1] + d];
  }
  __device__ float value(int64_t h, int64_t p, int64_t e) const {
    if (p < rows.buffered) return memory(h)[rows.D * (rows.Dv + kChunk) + p * rows.Dv + e];
    return rows.v.data[(p - rows.buffered) * rows.v.stride[0] + h * rows.v.stride[1] + e];
  }
  __device__ const float* sum_before(int64_t chunk, int64_t h) const {
    return sums == nullptr ? memory(h) : sums + (chunk * rows.H + h) * rows.D * rows.Dv;
  }
};

struct Slopes {
  static constexpr int kMost = 128;
  float of[kMost];
};

// exp(-s i) for all i by products in double, as on the CPU.
__global__ void powers_kernel(const Slopes slopes, int64_t first, float* powers) {
  const double per_token = exp_exact(-static_cast<double>(slopes.of[blockIdx.x]));
  double power = 1;
  for (int i = 0; i < kPowers; ++i, power *= per_token)
    powers[(first + blockIdx.x) * kPowers + i] = static_cast<float>(power);
}

// One head, eight columns of the sum: two threads of four columns for each of its rows, and 128 that fetch the next chunk.
constexpr int kColumns = 8, kFetchers = 128;

// Decayed keys [64, D] and values [64, 8] of a chunk.
__device__ void fetch(const Call& call, int64_t h, int64_t chunk, int64_t column, int thread, float* keys, float* values) {
  constexpr int kTogether = 16;
  const int64_t first = chunk * kChunk;
  const int D = static_cast<int>(call.rows.D), count = D * kChunk;
  for (int begin = thread; begin < count; begin += kTogether * kFetchers) {
    float part[kTogether];
#pragma unroll
    for (int n = 0; n < kTogether; ++n)
      if (const int i = begin + n * kFetchers; i < count) part[n] = call.key(h, first + i / D, i % D);
#pragma unroll
    for (int n = 0; n < kTogether; ++n)
      if (const int i = begin + n * kFetchers; i < count) keys[i] = part[n] * call.power(h, kChunk - 1 - i / D);
  }
#pragma unroll
  for (int i = thread; i < kChunk * kColumns; i += kFetchers) {
    const int64_t e = column + i % kColumns;
    values[i] = e < call.rows.Dv ? call.value(h, first + i / kColumns, e) : 0.0f;
  }
}

__global__ void scan_kernel(const Call call) {
  extern __shared__ __align__(16) float memory[];
  const int64_t D = call.rows.D, Dv = call.rows.Dv, h = blockIdx.x, column = int64_t{blockIdx.y} * kColumns;
  const int stage = kChunk * static_cast<int>(D + kColumns);  // floats: values first
  const int adders = static_cast<int>(blockDim.x) - kFetchers, thread = static_cast<int>(threadIdx.x);
  const int64_t d = thread / 2, e = column + thread % 2 * 4;
  const bool adds = thread < adders && d < D;
  float sum[4] = {};
  for (int c = 0; c < 4; ++c)
    if (adds && e + c < Dv) sum[c] = call.memory(h)[d * Dv + e + c];
  if (thread >= adders) fetch(call, h, 0, column, thread - adders, memory + kChunk * kColumns, memory);
  const float decay = call.power(h, kChunk);
  __syncthreads();
  for (int64_t chunk = 0; chunk < call.chunks; ++chunk) {
    const float* values = memory + chunk % 2 * stage;
    float* next = memory + (chunk + 1) % 2 * stage;
    if (thread >= adders) {
      if (chunk + 1 < call.chunks) fetch(call, h, chunk + 1, column, thread - adders, next + kChunk * kColumns, next);
    } else if (adds) {
      float* before = call.sums + ((chunk * call.rows.H + h) * D + d) * Dv;
      const float* keys = values + kChunk * kColumns + d;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        if (e + c < Dv) before[e + c] = sum[c];
        sum[c] = decay * sum[c];
      }
#pragma unroll 16
      for (int j = 0; j < kChunk; ++j) {
        const float key = keys[j * D];
        const float4 value = *reinterpret_cast<const float4*>(values + j * kColumns + thread % 2 * 4);
        sum[0] = fmaf(key, value.x, sum[0]);
        sum[1] = fmaf(key, value.y, sum[1]);
        sum[2] = fmaf(key, value.z, sum[2]);
        sum[3] = fmaf(key, value.w, sum[3]);
      }
    }
    __syncthreads();
  }
  if (!adds) return;
  float* behind = call.sums + ((call.chunks * call.rows.H + h) * D + d) * Dv;
  for (int c = 0; c < 4; ++c)
    if (e + c < Dv) behind[e + c] = call.memory(h)[d * Dv + e + c] = sum[c];
}

// Outputs of one chunk of one head, 16 * kWide columns of them; each of 16 x 16 threads has four queries.
constexpr int kDepth = 32, kThreads = 256, kStride = kChunk + 4;

template <int kWide>
struct OutputMemory {
  float queries[kDepth][kStride];
  float others[kDepth > kChunk ? kDepth : kChunk][kStride];  // keys [32][64], sums [32][16 kWide], values [64][16 kWide]
  float scores[kChunk][kChunk + 1];
};

template <int kWide>
__device__ void load_queries(const Call& call, OutputMemory<kWide>& memory, int64_t h, int64_t first, int64_t from) {
  for (int i = threadIdx.x; i < kDepth * kChunk; i += kThreads) {
    const int64_t d = from + i % kDepth, row = first + i / kDepth - call.rows.buffered;
    const bool exists = d < call.rows.D && row >= 0 && row < call.rows.T;
    memory.queries[i % kDepth][i / kDepth] =
        exists ? call.rows.q.data[row * call.rows.q.stride[0] + h * call.rows.q.stride[1] + d] : 0.0f;
  }
}

// scores[i][j] = (q[i] . k[j]) * exp(-s (i - j)) for j <= i.
template <int kWide>
__device__ void score_chunk(const Call& call, OutputMemory<kWide>& memory, int64_t h, int64_t first) {
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float sum[4][4] = {};
  for (int64_t from = 0; from < call.rows.D; from += kDepth) {
    const int depth = static_cast<int>(call.rows.D - from < kDepth ? call.rows.D - from : kDepth);
    load_queries(call, memory, h, first, from);
    for (int i = threadIdx.x; i < kDepth * kChunk; i += kThreads) {
      const int64_t d = from + i % kDepth, p = first + i / kDepth;
      memory.others[i % kDepth][i / kDepth] = d < call.rows.D && p < call.tokens() ? call.key(h, p, d) : 0.0f;
    }
    __syncthreads();
    for (int d = 0; d < depth; ++d) {
      const float4 q = *reinterpret_cast<const float4*>(&memory.queries[d][ty * 4]);
      const float4 k = *reinterpret_cast<const float4*>(&memory.others[d][tx * 4]);
      const float a[4] = {q.x, q.y, q.z, q.w}, b[4] = {k.x, k.y, k.z, k.w};
#pragma unroll
      for (int r = 0; r < 4; ++r)
#pragma unroll
        for (int c = 0; c < 4; ++c) sum[r][c] = fmaf(a[r], b[c], sum[r][c]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; ++r)
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int i = ty * 4 + r, j = tx * 4 + c;
      memory.scores[i][j] = j <= i ? sum[r][c] * call.power(h, i - j) : 0.0f;
    }
  __syncthreads();
}

template <int kWide>
__global__ void __launch_bounds__(kThreads) output_kernel(const Call call) {
  extern __shared__ __align__(16) float raw[];
  auto& memory = *reinterpret_cast<OutputMemory<kWide>*>(raw);
  const int64_t first = int64_t{blockIdx.x} * kChunk, h = blockIdx.y, D = call.rows.D, Dv = call.rows.Dv;
  const int64_t column = int64_t{blockIdx.z} * 16 * kWide;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  score_chunk(call, memory, h, first);
  float sum[4][kWide] = {};
  const float* state = call.sum_before(blockIdx.x, h);
  for (int64_t from = 0; from < D; from += kDepth) {
    const int depth = static_cast<int>(D - from < kDepth ? D - from : kDepth);
    load_queries(call, memory, h, first, from);
    for (int i = threadIdx.x; i < kDepth * 16 * kWide; i += kThreads) {
      const int64_t d = from + i / (16 * kWide), e = column + i % (16 * kWide);
      memory.others[i / (16 * kWide)][i % (16 * kWide)] = d < D && e < Dv ? state[d * Dv + e] : 0.0f;
    }
    __syncthreads();
    for (int d = 0; d < depth; ++d)
#pragma unroll
      for (int r = 0; r < 4; ++r)
#pragma unroll
        for (int c = 0; c < kWide; ++c)
          sum[r][c] = fmaf(memory.queries[d][ty * 4 + r], memory.others[d][tx * kWide + c], sum[r][c]);
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; ++r)
#pragma unroll
    for (int c = 0; c < kWide; ++c) sum[r][c] *= call.power(h, ty * 4 + r + 1);
  for (int i = threadIdx.x; i < kChunk * 16 * kWide; i += kThreads) {
    const int64_t p = first + i / (16 * kWide), e = column + i % (16 * kWide);
    memory.others[i / (16 * kWide)][i % (16 * kWide)] = p < call.tokens() && e < Dv ? call.value(h, p, e) : 0.0f;
  }
  __syncthreads();
  for (int j = 0; j < ty * 4 + 4; ++j)
#pragma unroll
    for (int r = 0; r < 4; ++r)
#pragma unroll
      for (int c = 0; c < kWide; ++c)  // a later value must not matter, not even as 0 times infinity
        if (j <= ty * 4 + r) sum[r][c] = fmaf(memory.scores[ty * 4 + r][j], memory.others[j][tx * kWide + c], sum[r][c]);
#pragma unroll
  for (int r = 0; r < 4; ++r)
#pragma unroll
    for (int c = 0; c < kWide; ++c) {
      const int64_t row = first + ty * 4 + r - call.rows.buffered, e = column + tx * kWide + c;
      if (row >= 0 && row < call.rows.T && e < Dv)
        call.rows.o.data[row * call.rows.o.stride[0] + h * call.rows.o.stride[1] + e] = sum[r][c] * call.rows.scale;
    }
}

// The tokens of the incomplete chunk enter its buffer.
__global__ void keep_kernel(const Call call) {
  const int64_t begin = call.chunks * kChunk, D = call.rows.D, Dv = call.rows.Dv, h = blockIdx.y;
  const int64_t p = begin + blockIdx.x;
  if (p < call.rows.buffered) return;
  float* keys = call.memory(h) + D * Dv;
  for (int64_t d = threadIdx.x; d < D; d += blockDim.x) keys[d * kChunk + p - begin] = call.key(h, p, d);
  for (int64_t e = threadIdx.x; e < Dv; e += blockDim.x) keys[D * kChunk + (p - begin) * Dv + e] = call.value(h, p, e);
}

template <int kWide>
void run_outputs(const Call& call) {
  const int64_t chunks = call.chunks + ((call.rows.buffered + call.rows.T) % kChunk != 0 ? 1 : 0);
  constexpr auto kBytes = static_cast<int>(sizeof(OutputMemory<kWide>));
  check(cudaFuncSetAttribute(output_kernel<kWide>, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes), "lightning");
  const dim3 grid(grid_of(chunks), grid_of(call.rows.H), grid_of(ceil_div(call.rows.Dv, 16 * kWide)));
  output_kernel<kWide><<<grid, kThreads, kBytes, stream()>>>(call);
  check_launch("lightning");
}

void run_scan(const Call& call) {
  const auto D = static_cast<int>(call.rows.D);
  const int bytes = 2 * kChunk * (D + kColumns) * static_cast<int>(sizeof(float));
  check(cudaFuncSetAttribute(scan_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "lightning");
  const dim3 grid(grid_of(call.rows.H), grid_of(ceil_div(call.rows.Dv, kColumns)));
  scan_kernel<<<grid, (2 * D + 31) / 32 * 32 + kFetchers, static_cast<size_t>(bytes), stream()>>>(call);
  check_launch("lightning");
}

}  // namespace

void lightning(const Context& context, std::span<const float> slopes, const LightningRows& rows) {
  if (rows.D > kMostDims)
    throw Error(ErrorCode::kUnsupported, "lightning: heads of {} dimensions; on device '{}' at most {}", rows.D,
                context.device.name(), kMostDims);
  const Workspace::Scope scope(context.workspace);
  Call call{rows, nullptr, nullptr, (rows.buffered + rows.T) / kChunk};
  float* const powers = context.workspace.take<float>(rows.H, kPowers).data;
  call.powers = powers;
  if (call.chunks > 0) call.sums = context.workspace.take<float>(call.chunks + 1, rows.H, rows.D, rows.Dv).data;
  for (int64_t first = 0; first < rows.H; first += Slopes::kMost) {
    const int64_t count = rows.H - first < Slopes::kMost ? rows.H - first : int64_t{Slopes::kMost};
    Slopes some{};
    for (int64_t h = 0; h < count; ++h) some.of[h] = slopes[static_cast<size_t>(first + h)];
    powers_kernel<<<grid_of(count), 1, 0, stream()>>>(some, first, powers);
    check_launch("lightning");
  }
  if (call.chunks > 0) run_scan(call);
  if (rows.q.data != nullptr) rows.Dv <= 32 ? run_outputs<2>(call) : run_outputs<4>(call);
  const int64_t rest = (rows.buffered + rows.T) % kChunk;
  if (rest == 0) return;
  keep_kernel<<<dim3(grid_of(rest), grid_of(rows.H)), 64, 0, stream()>>>(call);
  check_launch("lightning");
}

}  // namespace sala::ops::cuda
