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
};

// x[row .. row + 128)[k .. k + 16) transposed, the weights of 64 outputs as [16, 64].
__device__ void load_tiles(const Problem& p, int64_t row, int64_t column, int64_t k, float (*xs)[kXStride],
                           float (*ws)[kColumns]) {
  for (int i = threadIdx.x; i < kRows * kDepth; i += kThreads) {
    const int r = i / kDepth, d = i % kDepth;
    xs[d][r] = row + r < p.T && k + d < p.K ? p.x[(row + r) * p.x_stride + k + d] : 0.0f;
  }
  for (int i = threadIdx.x; i < kDepth * kColumns; i += kThreads) {
    const int panel = i / (kDepth * kPanel), d = i / kPanel % kDepth, n = i % kPanel;
    const int64_t first = column + panel * kPanel;
    ws[d][panel * kPanel + n] = first < p.N && k + d < p.K ? p.panels[(first * p.K + (k + d) * kPanel) + n] : 0.0f;
  }
}

__global__ void __launch_bounds__(kThreads) linear_kernel(const Problem p) {
  __shared__ __align__(16) float xs[kDepth][kXStride];
  __shared__ __align__(16) float ws[kDepth][kColumns];
  const int64_t row = int64_t{blockIdx.x} * kRows, column = int64_t{blockIdx.y} * kColumns;
  const int tx = threadIdx.x % 8, ty = threadIdx.x / 8;
  float sum[8][8] = {};
  for (int64_t k = 0; k < p.K; k += kDepth) {
    load_tiles(p, row, column, k, xs, ws);
    __syncthreads();
    const int depth = static_cast<int>(p.K - k < kDepth ? p.K - k : kDepth);
    const auto step = [&](int d) {
      float a[8], b[8];
      *reinterpret_cast<float4*>(a) = *reinterpret_cast<const float4*>(&xs[d][ty * 4]);
      *reinterpret_cast<float4*>(a + 4) = *reinterpret_cast<const float4*>(&xs[d][64 + ty * 4]);
      *reinterpret_cast<float4*>(b) = *reinterpret_cast<const float4*>(&ws[d][tx * 4]);
      *reinterpret_cast<float4*>(b + 4) = *reinterpret_cast<const float4*>(&ws[d][32 + tx * 4]);
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
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const int64_t t = row + r / 4 * 64 + ty * 4 + r % 4;
    if (t >= p.T) continue;
#pragma unroll
    for (int c = 0; c < 8; ++c) {
      const int64_t n = column + c / 4 * 32 + tx * 4 + c % 4;
      if (n < p.N) p.y[t * p.y_stride + n] = sum[r][c];
    }
  }
}

__global__ void few_rows_kernel(const Problem p) {
  const int64_t n = int64_t{blockIdx.x} * blockDim.x + threadIdx.x, t = blockIdx.y;
  if (n >= p.N) return;
  const float* w = p.panels + n / kPanel * p.K * kPanel + n % kPanel;
  const float* x = p.x + t * p.x_stride;
  float sum = 0;
#pragma unroll 16
  for (int64_t k = 0; k < p.K; ++k) sum = fmaf(x[k], w[k * kPanel], sum);
  p.y[t * p.y_stride + n] = sum;
}

}  // namespace

void linear(TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y) {
  const Problem p{x.data, weight.panel(0), y.data, x.extent[0], weight.cols(), weight.rows(), x.stride[0], y.stride[0]};
  if (p.T == 0 || p.N == 0) return;
  if (p.T <= kFewRows) {
    constexpr int kBlock = 64;
    few_rows_kernel<<<dim3(grid_of(ceil_div(p.N, kBlock)), grid_of(p.T)), kBlock, 0, stream()>>>(p);
  } else {
    linear_kernel<<<dim3(grid_of(ceil_div(p.T, kRows)), grid_of(ceil_div(p.N, kColumns))), kThreads, 0, stream()>>>(p);
  }
  check_launch("linear");
}

}  // namespace sala::ops::cuda
