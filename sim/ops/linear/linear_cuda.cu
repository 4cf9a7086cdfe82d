// Tiles of 128 rows by 64 outputs, 8 x 8 a thread; few rows: one output a thread. Either way a sum is one chain over
// ascending k.
#include "sim/ops/cuda_math.cuh"
#include "sim/ops/linear/linear_tiles.h"

namespace sala::ops::cuda {
namespace {

constexpr int kRows = 128, kColumns = 64, kDepth = 16, kThreads = 128;
constexpr int kXStride = kRows + 4;  // spreads a transposed store over the banks
constexpr int kFewRows = 16;
constexpr int kPanel = static_cast<int>(PackedMatrix::kPanel);

struct Problem {
  const float* x;
  const float* panels;
  float* y;
  int64_t T, K, N, x_stride, y_stride;
  bool y_fours = false;  // rows of y may be written four numbers at a time
};
bool in_fours(const float* rows, int64_t width, int64_t stride) {
  return width % 4 == 0 && stride % 4 == 0 && reinterpret_cast<uintptr_t>(rows) % 16 == 0;
}

// What a thread fetches of the next 16 columns of x and of the weights while the last ones are multiplied.
struct Fetched {
  static constexpr int kXs = kRows * kDepth / 4 / kThreads, kWs = kColumns * kDepth / 4 / kThreads;
  float4 x[kXs], w[kWs];

  // Row and first of the four columns of number n of x; column and depth of number n of the weights.
  static __device__ int x_row(int n) { return (static_cast<int>(threadIdx.x) + n * kThreads) / (kDepth / 4); }
  static __device__ int x_depth(int n) { return (static_cast<int>(threadIdx.x) + n * kThreads) % (kDepth / 4) * 4; }
  static __device__ int w_column(int n) { return (static_cast<int>(threadIdx.x) + n * kThreads) % (kColumns / 4) * 4; }
  static __device__ int w_depth(int n) { return (static_cast<int>(threadIdx.x) + n * kThreads) / (kColumns / 4); }

  __device__ void put(float (*xs)[kXStride], float (*ws)[kColumns]) const {
#pragma unroll
    for (int n = 0; n < kXs; ++n) {
      const int r = x_row(n), d = x_depth(n);
      xs[d][r] = x[n].x, xs[d + 1][r] = x[n].y, xs[d + 2][r] = x[n].z, xs[d + 3][r] = x[n].w;
    }
#pragma unroll
    for (int n = 0; n < kWs; ++n) *reinterpret_cast<float4*>(&ws[w_depth(n)][w_column(n)]) = w[n];
  }
};

// kFours: rows of x may be read four numbers at a time.
template <bool kFours>
struct Linear {
  Problem p;

  __device__ void fetch(int64_t row, int64_t column, int64_t k, Fetched& fetched) const {
#pragma unroll
    for (int n = 0; n < Fetched::kXs; ++n) {
      const int64_t r = row + Fetched::x_row(n), d = k + Fetched::x_depth(n);
      const float* from = p.x + r * p.x_stride + d;
      if constexpr (kFours) {
        fetched.x[n] = r < p.T && d < p.K ? *reinterpret_cast<const float4*>(from) : float4{0, 0, 0, 0};
      } else {
        const auto one = [&](int i) { return r < p.T && d + i < p.K ? from[i] : 0.0f; };
        fetched.x[n] = {one(0), one(1), one(2), one(3)};
      }
    }
#pragma unroll
    for (int n = 0; n < Fetched::kWs; ++n) {
      const int64_t first = (column + Fetched::w_column(n)) / kPanel * kPanel, d = k + Fetched::w_depth(n);
      const float* from = p.panels + first * p.K + d * kPanel + Fetched::w_column(n) % kPanel;
      fetched.w[n] = first < p.N && d < p.K ? *reinterpret_cast<const float4*>(from) : float4{0, 0, 0, 0};
    }
  }
  __device__ void operator()(const Place& place) const {
    __shared__ __align__(16) float xs[2][kDepth][kXStride];
    __shared__ __align__(16) float ws[2][kDepth][kColumns];
    const int64_t row = int64_t{place.block.x} * kRows, column = int64_t{place.block.y} * kColumns;
    const int tx = threadIdx.x % 8, ty = threadIdx.x / 8;
    float sum[8][8] = {};
    Fetched fetched;
    fetch(row, column, 0, fetched);
    fetched.put(xs[0], ws[0]);
    __syncthreads();
    int now = 0;
    for (int64_t k = 0; k < p.K; k += kDepth, now ^= 1) {
      if (k + kDepth < p.K) fetch(row, column, k + kDepth, fetched);
      const int depth = static_cast<int>(p.K - k < kDepth ? p.K - k : kDepth);
      const auto step = [&](int d) {
        float a[8], b[8];
        *reinterpret_cast<float4*>(a) = *reinterpret_cast<const float4*>(&xs[now][d][ty * 4]);
        *reinterpret_cast<float4*>(a + 4) = *reinterpret_cast<const float4*>(&xs[now][d][64 + ty * 4]);
        *reinterpret_cast<float4*>(b) = *reinterpret_cast<const float4*>(&ws[now][d][tx * 4]);
        *reinterpret_cast<float4*>(b + 4) = *reinterpret_cast<const float4*>(&ws[now][d][32 + tx * 4]);
#pragma unroll
        for (int r = 0; r < 8; ++r)
#pragma unroll
          for (int c = 0; c < 8; ++c) sum[r][c] = fmaf(a[r], b[c], sum[r][c]);
      };
      if (depth == kDepth) {
#pragma unroll
        for (int d = 0; d < kDepth; ++d) step(d);
      } else {
        for (int d = 0; d < depth; ++d) step(d);
      }
      if (k + kDepth < p.K) fetched.put(xs[now ^ 1], ws[now ^ 1]);
      __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const int64_t t = row + r / 4 * 64 + ty * 4 + r % 4;
      if (t >= p.T) continue;
#pragma unroll
      for (int c = 0; c < 8; c += 4) {
        const int64_t n = column + c / 4 * 32 + tx * 4;
        float* to = p.y + t * p.y_stride + n;
        if (p.y_fours) {
          if (n < p.N) *reinterpret_cast<float4*>(to) = {sum[r][c], sum[r][c + 1], sum[r][c + 2], sum[r][c + 3]};
          continue;
        }
#pragma unroll
        for (int i = 0; i < 4; ++i)
          if (n + i < p.N) to[i] = sum[r][c + i];
      }
    }
  }
};

// An output a thread.
constexpr int kFewThreads = 64;
struct LinearOfFewRows {
  Problem p;

  __device__ void operator()(const Place& place) const {
    const int64_t n = int64_t{place.block.x} * kFewThreads + threadIdx.x, t = place.block.y;
    if (n >= p.N) return;
    const float* w = p.panels + n / kPanel * p.K * kPanel + n % kPanel;
    const float* x = p.x + t * p.x_stride;
    float sum = 0;
#pragma unroll 16
    for (int64_t k = 0; k < p.K; ++k) sum = fmaf(x[k], w[k * kPanel], sum);
    p.y[t * p.y_stride + n] = sum;
  }
};

}  // namespace

void linear(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y) {
  Problem p{x.data, weight.panel(0), y.data, x.extent[0], weight.cols(), weight.rows(), x.stride[0], y.stride[0]};
  p.y_fours = in_fours(p.y, p.N, p.y_stride);
  if (p.T <= kFewRows)
    return launch<kFewThreads>("linear", LinearOfFewRows{p}, dim3(grid_of(ceil_div(p.N, kFewThreads)), grid_of(p.T)));
  const dim3 grid(grid_of(ceil_div(p.T, kRows)), grid_of(ceil_div(p.N, kColumns)));
  if (in_fours(p.x, p.K, p.x_stride)) return launch<kThreads, 3>("linear", Linear<true>{p}, grid);
  launch<kThreads, 3>("linear", Linear<false>{p}, grid);
}

}  // namespace sala::ops::cuda
