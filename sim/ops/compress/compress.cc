#include "sim/ops/compress/compress.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "sala/core/error.h"
#include "sim/ops/compress/compress_tiles.h"
#include "sim/ops/context.h"

namespace sala::ops {
namespace {

constexpr int64_t kWindowsPerTile = 16;
constexpr int64_t kWindowsTogether = 256;  // whose means are held at a time on the CPU; elsewhere all of a call

int64_t windows_together(bool on_cuda) { return on_cuda ? std::numeric_limits<int64_t>::max() : kWindowsTogether; }

float to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return x != x ? x : std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}

}  // namespace

KeyCompressor::KeyCompressor(int64_t kv_heads, int64_t dim, CompressParams params, Device& device)
    : kv_heads_(kv_heads), dim_(dim), kernel_(params.kernel), stride_(params.stride), tail_(0, device) {
  if (kv_heads < 1 || dim < 1)
    throw Error(ErrorCode::kShape, "KeyCompressor: {} KV heads of {} dims; expected at least 1 of each", kv_heads, dim);
  if (stride_ < 1 || stride_ > kernel_)
    throw Error(ErrorCode::kConfig, "KeyCompressor: windows of {} keys every {} keys; expected 1 <= stride <= kernel",
                kernel_, stride_);
  tail_.resize_discard(kernel_ * kv_heads * dim);
}

void KeyCompressor::append(const Context& context, TensorView<const float, 3> k, PackedKeys& out) {
  if (k.extent[1] != kv_heads_ || k.extent[2] != dim_)
    throw Error(ErrorCode::kShape, "KeyCompressor::append: got [{}, {}, {}], made for {} KV heads of {} dims", k.extent[0],
                k.extent[1], k.extent[2], kv_heads_, dim_);
  const int64_t known = kept_ + k.extent[0];
  const int64_t windows = known < kernel_ ? 0 : (known - kernel_) / stride_ + 1;
  if (out.kv_heads() != kv_heads_ || out.dim() != dim_ || out.size() + windows > out.capacity())
    throw Error(ErrorCode::kShape, "KeyCompressor::append: {} windows of {} x {} after {}; out holds {} of {} x {}", windows,
                kv_heads_, dim_, out.size(), out.capacity(), out.kv_heads(), out.dim());
  const Workspace::Scope scope(context.workspace);
  const int64_t together = std::min(windows, windows_together(context.on_cuda()));
  float* const means = context.workspace.take<float>(together, kv_heads_ * dim_).data;
  for (int64_t begin = 0; begin < windows; begin += together) {
    const int64_t count = std::min(together, windows - begin);
    average(context, k, begin, count, means);
    out.append(context, make_view(static_cast<const float*>(means), count, kv_heads_, dim_));
  }
  keep(context, k, windows * stride_);
}

int64_t compress_scratch_bytes(int64_t rows, int64_t kv_heads, int64_t dim, CompressParams params, const Workers& workers) {
  const int64_t windows = (rows - 1) / params.stride + 1;  // that end in these rows
  return Workspace::bytes_of<float>(std::min(windows, windows_together(workers.cuda)) * kv_heads * dim);
}

// Key i counts from the start of the tail.
void KeyCompressor::average(const Context& context, TensorView<const float, 3> k, int64_t first, int64_t count,
                            float* means) const {
  SALA_ON_CUDA(context, compress_means({tail_.data(), kept_, k}, kernel_, stride_, context.numerics, first, count, means));
  require_host(context, "KeyCompressor::append");
  const int64_t width = kv_heads_ * dim_;
  context.pool.run((count + kWindowsPerTile - 1) / kWindowsPerTile, [&](int64_t tile, int) {
    for (int64_t w = tile * kWindowsPerTile; w < std::min(count, (tile + 1) * kWindowsPerTile); ++w) {
      float* mean = means + w * width;
      std::fill_n(mean, width, 0.0f);
      for (int64_t i = (first + w) * stride_; i < (first + w) * stride_ + kernel_; ++i)
        for (int64_t g = 0; g < kv_heads_; ++g) {
          const float* key = i < kept_ ? tail_.data() + i * width + g * dim_ : k[i - kept_][g].data;
          for (int64_t d = 0; d < dim_; ++d) mean[g * dim_ + d] += key[d];
        }
      for (int64_t n = 0; n < width; ++n) {
        mean[n] /= static_cast<float>(kernel_);
        if (context.bf16()) mean[n] = to_bf16(mean[n]);
      }
    }
  });
}

// The tail becomes the keys from `from` on; fewer than kernel_.
void KeyCompressor::keep(const Context& context, TensorView<const float, 3> k, int64_t from) {
  const int64_t known = kept_ + k.extent[0];
  move_tail(context, k, from);
  kept_ = known - from;
}

void KeyCompressor::move_tail(const Context& context, TensorView<const float, 3> k, int64_t from) {
  SALA_ON_CUDA(context, compress_keep({tail_.data(), kept_, k}, from, tail_.data()));
  const int64_t width = kv_heads_ * dim_, known = kept_ + k.extent[0];
  int64_t kept = 0;
  if (from < kept_) {
    kept = kept_ - from;
    std::copy(tail_.data() + from * width, tail_.data() + kept_ * width, tail_.data());
  }
  for (int64_t i = std::max(from, kept_); i < known; ++i, ++kept)
    for (int64_t g = 0; g < kv_heads_; ++g) std::copy_n(k[i - kept_][g].data, dim_, tail_.data() + kept * width + g * dim_);
}

}  // namespace sala::ops
