// The chunks of a call side by side: one pass leaves the sum in front of every chunk, the next reads the outputs of all
// chunks at once.
#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/cuda_limits.h"
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/exact_math.h"
#include "sim/ops/lightning/lightning_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kChunk = static_cast<int>(LightningState::kChunk);
constexpr int kPowers = kChunk + 1;

struct Call {
  LightningRows rows;
  const float* powers;  // [H, 65] exp(-s i)
  float* sums;          // [chunks, H, D, Dv] in front of each chunk; null: the call ends within its first one
  int64_t chunks;       // complete ones

  __device__ float power(int64_t h, int64_t i) const { return powers[h * kPowers + i]; }
  __device__ float* memory(int64_t h) const { return rows.memory + h * rows.head_size; }
  __device__ int64_t tokens() const { return rows.buffered + rows.T; }  // since the start of the first chunk
  // Number d of the key, e of the value of token p, which exists.
  __device__ const float* key(int64_t h, int64_t p, int64_t d) const {
    if (p < rows.buffered) return memory(h) + rows.D * rows.Dv + d * kChunk + p;
    return rows.k.data + (p - rows.buffered) * rows.k.stride[0] + h * rows.k.stride[1] + d;
  }
  __device__ const float* value(int64_t h, int64_t p, int64_t e) const {
    if (p < rows.buffered) return memory(h) + rows.D * (rows.Dv + kChunk) + p * rows.Dv + e;
    return rows.v.data + (p - rows.buffered) * rows.v.stride[0] + h * rows.v.stride[1] + e;
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
struct MakePowers {
  Slopes slopes;
  int64_t first;
  float* powers;

  __device__ void operator()(const Place& place) const {
    if (threadIdx.x > 0) return;
    const double per_token = exp_exact(-static_cast<double>(slopes.of[place.block.x]));
    double power = 1;
    for (int i = 0; i < kPowers; ++i, power *= per_token)
      powers[(first + place.block.x) * kPowers + i] = static_cast<float>(power);
  }
};

// The sums of one head, 16 rows by 16 columns of them: a chain of additions over all tokens, so what it waits for is fetched
// well ahead. A thread has two rows and two columns.
constexpr int kSide = 16, kScanThreads = 64, kStages = 6;
constexpr int kStageFloats = 2 * kChunk * kSide;  // keys [64, 16], values [64, 16]

// kFours: rows of keys and values may be read four numbers at a time.
template <bool kFours>
struct Scan {
  Call call;

  __device__ void fetch(int64_t h, int64_t chunk, int64_t first_row, int64_t first_column, float* stage) const {
    const LightningRows& rows = call.rows;
    float* const values = stage + kChunk * kSide;
    if (chunk < call.chunks && kFours && (chunk > 0 || rows.buffered == 0)) {
      const int64_t t = chunk * kChunk - rows.buffered;
#pragma unroll
      for (int n = 0; n < kChunk * kSide / 4 / kScanThreads; ++n) {
        const int i = static_cast<int>(threadIdx.x) + n * kScanThreads, j = i / (kSide / 4), at = i % (kSide / 4) * 4;
        const int64_t d = first_row + at, e = first_column + at;
        const float* const key = rows.k.data + (t + j) * rows.k.stride[0] + h * rows.k.stride[1];
        const float* const value = rows.v.data + (t + j) * rows.v.stride[0] + h * rows.v.stride[1];
        copy_later<16>(stage + j * kSide + at, d < rows.D ? key + d : key, d < rows.D);
        copy_later<16>(values + j * kSide + at, e < rows.Dv ? value + e : value, e < rows.Dv);
      }
    } else if (chunk < call.chunks) {
      for (int i = static_cast<int>(threadIdx.x); i < kChunk * kSide; i += kScanThreads) {
        const int64_t p = chunk * kChunk + i / kSide, d = first_row + i % kSide, e = first_column + i % kSide;
        copy_later<4>(stage + i, call.key(h, p, d < rows.D ? d : 0), d < rows.D);
        copy_later<4>(values + i, call.value(h, p, e < rows.Dv ? e : 0), e < rows.Dv);
      }
    }
    end_group();
  }

  __device__ void operator()(const Place& place) const {
    extern __shared__ __align__(16) float memory[];
    __shared__ __align__(16) float powers[kChunk];  // exp(-s (63 - j))
    const int64_t D = call.rows.D, Dv = call.rows.Dv, h = place.block.x;
    const int64_t first_row = int64_t{place.block.y} * kSide, first_column = int64_t{place.block.z} * kSide;
    const int row = static_cast<int>(threadIdx.x) / 8 * 2, column = static_cast<int>(threadIdx.x) % 8 * 2;
    const int64_t d = first_row + row, e = first_column + column;
    for (int ahead = 0; ahead < kStages - 1; ++ahead)
      fetch(h, ahead, first_row, first_column, memory + ahead * kStageFloats);
    powers[threadIdx.x] = call.power(h, kChunk - 1 - static_cast<int>(threadIdx.x));
    const float decay = call.power(h, kChunk);
    float sum[2][2] = {};
    const auto each = [&](auto&& use) {
#pragma unroll
      for (int r = 0; r < 2; ++r)
#pragma unroll
        for (int c = 0; c < 2; ++c)
          if (d + r < D && e + c < Dv) use((d + r) * Dv + e + c, sum[r][c]);
    };
    each([&](int64_t at, float& number) { number = call.memory(h)[at]; });
    for (int64_t chunk = 0; chunk < call.chunks; ++chunk) {
      wait_for_groups<kStages - 2>();
      __syncthreads();  // what was copied is seen, what is fetched over has been read
      fetch(h, chunk + kStages - 1, first_row, first_column, memory + (chunk + kStages - 1) % kStages * kStageFloats);
      float* const before = call.sums + (chunk * call.rows.H + h) * D * Dv;
      each([&](int64_t at, float& number) {
        before[at] = number;
        number = decay * number;
      });
      const float* const keys = memory + chunk % kStages * kStageFloats + row;
      const float* const values = memory + chunk % kStages * kStageFloats + kChunk * kSide + column;
#pragma unroll 16
      for (int j = 0; j < kChunk; ++j) {
        const float2 key = *reinterpret_cast<const float2*>(keys + j * kSide);
        const float2 value = *reinterpret_cast<const float2*>(values + j * kSide);
        const float k0 = key.x * powers[j], k1 = key.y * powers[j];
        sum[0][0] = fmaf(k0, value.x, sum[0][0]);
        sum[0][1] = fmaf(k0, value.y, sum[0][1]);
        sum[1][0] = fmaf(k1, value.x, sum[1][0]);
        sum[1][1] = fmaf(k1, value.y, sum[1][1]);
      }
    }
    float* const behind = call.sums + (call.chunks * call.rows.H + h) * D * Dv;
    each([&](int64_t at, float& number) { behind[at] = call.memory(h)[at] = number; });
  }
};

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
      memory.others[i % kDepth][i / kDepth] = d < call.rows.D && p < call.tokens() ? *call.key(h, p, d) : 0.0f;
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
struct Outputs {
  Call call;

  __device__ void operator()(const Place& place) const {
    extern __shared__ __align__(16) float raw[];
    auto& memory = *reinterpret_cast<OutputMemory<kWide>*>(raw);
    const int64_t first = int64_t{place.block.x} * kChunk, h = place.block.y, D = call.rows.D, Dv = call.rows.Dv;
    const int64_t column = int64_t{place.block.z} * 16 * kWide;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    score_chunk(call, memory, h, first);
    float sum[4][kWide] = {};
    const float* state = call.sum_before(place.block.x, h);
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
      memory.others[i / (16 * kWide)][i % (16 * kWide)] = p < call.tokens() && e < Dv ? *call.value(h, p, e) : 0.0f;
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
};

constexpr int kKeepThreads = 64;
// The tokens of the incomplete chunk enter its buffer.
struct Keep {
  Call call;

  __device__ void operator()(const Place& place) const {
    const int64_t begin = call.chunks * kChunk, D = call.rows.D, Dv = call.rows.Dv, h = place.block.y;
    const int64_t p = begin + place.block.x;
    if (p < call.rows.buffered) return;
    float* keys = call.memory(h) + D * Dv;
    for (int64_t d = threadIdx.x; d < D; d += kKeepThreads) keys[d * kChunk + p - begin] = *call.key(h, p, d);
    for (int64_t e = threadIdx.x; e < Dv; e += kKeepThreads) keys[D * kChunk + (p - begin) * Dv + e] = *call.value(h, p, e);
  }
};

template <int kWide>
void run_outputs(const Call& call) {
  const int64_t chunks = call.chunks + ((call.rows.buffered + call.rows.T) % kChunk != 0 ? 1 : 0);
  launch<kThreads>("lightning: outputs", Outputs<kWide>{call},
                   dim3(grid_of(chunks), grid_of(call.rows.H), grid_of(ceil_div(call.rows.Dv, 16 * kWide))), kThreads,
                   sizeof(OutputMemory<kWide>));
}

bool in_fours(TensorView<const float, 3> x) {
  return x.extent[2] % 4 == 0 && x.stride[0] % 4 == 0 && x.stride[1] % 4 == 0 &&
         reinterpret_cast<uintptr_t>(x.data) % 16 == 0;
}

template <bool kFours>
void run_scan(const Call& call) {
  launch<kScanThreads>(
      "lightning: sums", Scan<kFours>{call},
      dim3(grid_of(call.rows.H), grid_of(ceil_div(call.rows.D, kSide)), grid_of(ceil_div(call.rows.Dv, kSide))),
      kScanThreads, kStages * kStageFloats * static_cast<int64_t>(sizeof(float)));
}

}  // namespace

void lightning(const Context& context, std::span<const float> slopes, const LightningRows& rows) {
  if (rows.D > kMostHeadDims)
    throw Error(ErrorCode::kUnsupported, "lightning: heads of {} dimensions; on device '{}' at most {}", rows.D,
                context.device.name(), kMostHeadDims);
  const Workspace::Scope scope(context.workspace);
  Call call{rows, nullptr, nullptr, (rows.buffered + rows.T) / kChunk};
  float* const powers = context.workspace.take<float>(rows.H, kPowers).data;
  call.powers = powers;
  if (call.chunks > 0) call.sums = context.workspace.take<float>(call.chunks + 1, rows.H, rows.D, rows.Dv).data;
  for (int64_t first = 0; first < rows.H; first += Slopes::kMost) {
    const int64_t count = rows.H - first < Slopes::kMost ? rows.H - first : int64_t{Slopes::kMost};
    Slopes some{};
    for (int64_t h = 0; h < count; ++h) some.of[h] = slopes[static_cast<size_t>(first + h)];
    launch<32>("lightning: decays", MakePowers{some, first, powers}, grid_of(count));
  }
  if (call.chunks > 0) in_fours(rows.k) && in_fours(rows.v) ? run_scan<true>(call) : run_scan<false>(call);
  if (rows.q.data != nullptr) rows.Dv <= 32 ? run_outputs<2>(call) : run_outputs<4>(call);
  const int64_t rest = (rows.buffered + rows.T) % kChunk;
  launch<kKeepThreads>("lightning: buffer", Keep{call}, dim3(grid_of(rest), grid_of(rows.H)));
}

}  // namespace sala::ops::cuda
