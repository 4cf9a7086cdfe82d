#include "sim/ops/packed_keys/packed_keys.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/packed_keys/packed_keys_tiles.h"

namespace sala::ops {
namespace {

constexpr int64_t kKeysPerTile = 256;  // of an append; whole panels

int64_t whole_panels(int64_t capacity) { return (capacity + PackedKeys::kPanel - 1) / PackedKeys::kPanel; }

void check_extents(const char* what, int64_t kv_heads, int64_t dim, int64_t capacity) {
  if (kv_heads < 1 || dim < 1 || capacity < 0)
    throw Error(ErrorCode::kShape, "{}: {} KV heads of {} dims with room for {}; expected at least 1, 1 and 0", what,
                kv_heads, dim, capacity);
}

void check_append(const char* what, TensorView<const float, 3> x, int64_t kv_heads, int64_t dim, int64_t size,
                  int64_t capacity) {
  if (x.extent[1] != kv_heads || x.extent[2] != dim)
    throw Error(ErrorCode::kShape, "{}: got [{}, {}, {}], the cache holds {} KV heads of {} dims", what, x.extent[0],
                x.extent[1], x.extent[2], kv_heads, dim);
  if (size + x.extent[0] > capacity)
    throw Error(ErrorCode::kShape, "{}: {} tokens after {} exceed the capacity of {}", what, x.extent[0], size, capacity);
}

// body(head, begin, end) for all heads and tiles of the absolute keys [first, last). A few keys are one tile.
template <class Body>
void for_key_tiles(const Context& context, int64_t kv_heads, int64_t first, int64_t last, const Body& body) {
  if (first == last) return;
  const int64_t begin = first / kKeysPerTile, count = (last - 1) / kKeysPerTile - begin + 1;
  context.pool.run(count, [&](int64_t index, int) {
    const int64_t tile = begin + index;
    for (int64_t head = 0; head < kv_heads; ++head)
      body(head, std::max(first, tile * kKeysPerTile), std::min(last, (tile + 1) * kKeysPerTile));
  });
}

}  // namespace

PackedKeys::PackedKeys(int64_t kv_heads, int64_t dim, int64_t capacity, Device& device)
    : kv_heads_(kv_heads), dim_(dim), capacity_(capacity), panels_(whole_panels(capacity)), data_(0, device) {
  check_extents("PackedKeys", kv_heads, dim, capacity);
  data_.resize_discard(kv_heads * panels_ * dim * kPanel);
}

void PackedKeys::append(const Context& context, TensorView<const float, 3> k) {
  check_append("PackedKeys::append", k, kv_heads_, dim_, size_, capacity_);
  copy(context, k);
  size_ += k.extent[0];
}

void PackedKeys::copy(const Context& context, TensorView<const float, 3> k) {
  SALA_ON_CUDA(context, append_keys(k, size_, panels_ * dim_ * kPanel, data_.data()));
  require_host(context, "PackedKeys::append");
  for_key_tiles(context, kv_heads_, size_, size_ + k.extent[0], [&](int64_t head, int64_t begin, int64_t end) {
    float* panels = data_.data() + head * panels_ * dim_ * kPanel;
    for (int64_t key = begin; key < end; ++key) {
      const float* from = k[key - size_][head].data;
      float* to = panels + key / kPanel * dim_ * kPanel + key % kPanel;
      for (int64_t d = 0; d < dim_; ++d) to[d * kPanel] = from[d];
    }
  });
}

ValueCache::ValueCache(int64_t kv_heads, int64_t dim, int64_t capacity, Device& device)
    : kv_heads_(kv_heads),
      dim_(dim),
      capacity_(capacity),
      padded_(whole_panels(capacity) * PackedKeys::kPanel),
      data_(0, device) {
  check_extents("ValueCache", kv_heads, dim, capacity);
  data_.resize_discard(kv_heads * padded_ * dim);
}

void ValueCache::append(const Context& context, TensorView<const float, 3> v) {
  check_append("ValueCache::append", v, kv_heads_, dim_, size_, capacity_);
  copy(context, v);
  size_ += v.extent[0];
}

void ValueCache::copy(const Context& context, TensorView<const float, 3> v) {
  SALA_ON_CUDA(context, append_values(v, size_, padded_ * dim_, data_.data()));
  require_host(context, "ValueCache::append");
  for_key_tiles(context, kv_heads_, size_, size_ + v.extent[0], [&](int64_t head, int64_t begin, int64_t end) {
    float* rows = data_.data() + head * padded_ * dim_;
    for (int64_t key = begin; key < end; ++key) std::copy_n(v[key - size_][head].data, dim_, rows + key * dim_);
  });
}

}  // namespace sala::ops
