#include "sim/ops/rope/rope.h"

#include <algorithm>
#include <cmath>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/exact_math.h"
#include "sim/ops/rope/rope_tiles.h"
#include "sim/ops/row_tiles.h"

namespace sala::ops {
namespace {

constexpr double kLargestAngle = 0x1p22;  // as far as sin_cos goes

void check_dim(const char* name, int64_t dim) {
  if (dim < 2 || dim % 2 != 0) throw Error(ErrorCode::kShape, "{}: the dimension is {}, expected an even number", name, dim);
}

}  // namespace

std::vector<float> default_inv_freq(int dim, double theta) {
  check_dim("default_inv_freq", dim);
  std::vector<float> inv_freq;
  for (int i = 0; i < dim; i += 2) inv_freq.push_back(static_cast<float>(std::pow(theta, -static_cast<double>(i) / dim)));
  return inv_freq;
}

RopeTable::RopeTable(int dim, std::vector<float> inv_freq, float factor)
    : dim_(dim), inv_freq_(std::move(inv_freq)), factor_(factor) {
  check_dim("RopeTable", dim);
  if (static_cast<int64_t>(inv_freq_.size()) != dim_ / 2)
    throw Error(ErrorCode::kShape, "RopeTable: {} frequencies for dimension {}, expected {}", inv_freq_.size(), dim_,
                dim_ / 2);
  for (const float frequency : inv_freq_) largest_ = std::max(largest_, std::fabs(frequency));
}

void RopeTable::prepare(const Context& context, int64_t first, int64_t rows) {
  if (first < 0 || rows < 0) throw Error(ErrorCode::kShape, "RopeTable: {} rows from position {}", rows, first);
  if (!(static_cast<double>(largest_) * static_cast<double>(first + rows) <= kLargestAngle))
    throw Error(ErrorCode::kShape, "RopeTable: position {} at frequency {} turns by more than {} radians", first + rows,
                largest_, kLargestAngle);
  if (&table_.device() != &context.device) table_ = Buffer<float>(0, context.device);
  if (table_.size() < rows * dim_) table_.resize_discard(rows * dim_);
  rows_ = rows;
  make(context, first, rows);
}

void RopeTable::make(const Context& context, int64_t first, int64_t rows) {
  if (context.on_cuda() && (copied_.size() == 0 || &copied_.device() != &context.device)) {
    copied_ = Buffer<float>(dim_ / 2, context.device);
    context.device.copy(copied_.data(), inv_freq_.data(), copied_.bytes(), Device::Copy::kFromHost);
  }
  SALA_ON_CUDA(context, rope_table(first, rows, dim_ / 2, copied_.data(), factor_, table_.data()));
  require_host(context, "RopeTable::prepare");
  for_row_tiles(context.pool, rows, 16 * dim_, [&](int64_t begin, int64_t end) {  // a sine is worth some ten multiplications
    for (int64_t t = begin; t < end; ++t) {
      float *cos = table_.data() + t * dim_, *sin = cos + dim_ / 2;
      const auto position = static_cast<float>(first + t);
      for (std::size_t i = 0; i < inv_freq_.size(); ++i) {
        const SinCos turn = sin_cos(static_cast<double>(position * inv_freq_[i]));
        cos[i] = static_cast<float>(turn.cos * static_cast<double>(factor_));
        sin[i] = static_cast<float>(turn.sin * static_cast<double>(factor_));
      }
    }
  });
}

void apply_rope(const Context& context, const RopeTable& table, TensorView<float, 3> x) {
  const int64_t T = x.extent[0], H = x.extent[1], D = x.extent[2];
  if (D != table.dim()) throw Error(ErrorCode::kShape, "apply_rope: heads have {} dimensions, the table {}", D, table.dim());
  if (T != table.rows()) throw Error(ErrorCode::kShape, "apply_rope: x has {} rows, the table {}", T, table.rows());
  SALA_ON_CUDA(context, apply_rope(table, x));
  const auto run = context.is_ref() ? &rope_token_ref : SALA_TILE(context, rope_token);
  const auto tokens = [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) run(table.cos(t), table.sin(t), D / 2, x[t].data, H, x.stride[1]);
  };
  if (context.is_ref()) return tokens(0, T);
  for_row_tiles(context.pool, T, H * D, tokens);
}

}  // namespace sala::ops
