#include "sim/ops/linear/linear.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/linear/linear_tiles.h"

namespace sala::ops {
namespace {

constexpr int64_t kPanel = PackedMatrix::kPanel;
constexpr int64_t kTileColumns = 128;
constexpr int64_t kSmallestTile = int64_t{1} << 17;  // multiply-adds below which another tile costs more than it gains
static_assert(kTileColumns % kPanel == 0);

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

PackedMatrix::PackedMatrix(const Context& context, TensorView<const float, 2> w)
    : rows_(w.extent[0]), cols_(w.extent[1]), packed_(0, context.device) {
  if (rows_ < 0 || cols_ < 0) throw Error(ErrorCode::kShape, "PackedMatrix: a weight of {} x {}", rows_, cols_);
  if (rows_ > 1 && w.stride[0] < cols_)
    throw Error(ErrorCode::kShape, "PackedMatrix: rows of {} elements stand {} apart", cols_, w.stride[0]);
  packed_.resize_discard(ceil_div(rows_, kPanel) * cols_ * kPanel);
  const bool here = &context.device == &cpu_device();
  Buffer<float> packed(here ? 0 : packed_.size());
  context.pool.run(ceil_div(rows_, kPanel), [&](int64_t p, int) {
    float* to = (here ? packed_ : packed).data() + p * cols_ * kPanel;
    for (int64_t n = 0; n < std::min(kPanel, rows_ - p * kPanel); ++n) {
      const float* from = w[p * kPanel + n].data;
      for (int64_t k = 0; k < cols_; ++k) to[k * kPanel + n] = from[k];
    }
  });
  if (here) return;
  context.device.copy(packed_.data(), packed.data(), packed.bytes(), Device::Copy::kFromHost);
  context.device.sync();
}

void linear(const Context& context, TensorView<const float, 2> x, const PackedMatrix& weight, TensorView<float, 2> y) {
  const int64_t T = x.extent[0], K = weight.cols(), N = weight.rows();
  if (x.extent[1] != K) throw Error(ErrorCode::kShape, "linear: x has {} columns, the weight {}", x.extent[1], K);
  if (y.extent[0] != T) throw Error(ErrorCode::kShape, "linear: y has {} rows, x has {}", y.extent[0], T);
  if (y.extent[1] != N) throw Error(ErrorCode::kShape, "linear: y has {} columns, the weight has {} rows", y.extent[1], N);
  SALA_ON_CUDA(context, linear(x, weight, y));
  if (context.is_ref()) return linear_ref(x, weight, y);
  const auto run = SALA_TILE(context, linear_tile);
  int64_t columns = kTileColumns;
  while (std::min(T, kLinearTileRows) * columns * K < kSmallestTile && columns < N) columns *= 2;
  const int64_t row_tiles = ceil_div(T, kLinearTileRows), column_tiles = ceil_div(N, columns);
  context.pool.run(row_tiles * column_tiles, [&](int64_t index, int) {
    const int64_t row = index / column_tiles * kLinearTileRows, column = index % column_tiles * columns;
    LinearTile tile;
    tile.x = x.data + row * x.stride[0];
    tile.x_stride = x.stride[0];
    tile.rows = std::min(kLinearTileRows, T - row);
    tile.K = K;
    tile.panels = weight.panel(column / kPanel);
    tile.y = y.data + row * y.stride[0] + column;
    tile.y_stride = y.stride[0];
    tile.columns = std::min(columns, N - column);
    run(tile);
  });
}

}  // namespace sala::ops
