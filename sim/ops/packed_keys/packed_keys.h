// Keys and values of one layer in the order in which attention reads them.
#pragma once

#include <cstdint>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// Keys [S, Hkv, D]. Each KV head has its own panels of 16 neighbouring keys, dim-major inside a panel: [Hkv, panels, D, 16].
// The scores of 16 keys with one query are then one vector FMA per dim. Lanes behind the last key hold finite leftovers.
class PackedKeys {
 public:
  static constexpr int64_t kPanel = 16;

  // Room for `capacity` keys, rounded up to whole panels in memory. Throws Error{kShape} for a negative or zero extent
  // (capacity 0 is legal), Error{kMemory}.
  PackedKeys(int64_t kv_heads, int64_t dim, int64_t capacity, Device& device = cpu_device());
  // k: [T, Hkv, D], the keys after those appended so far. Throws Error{kShape} when extents disagree or the capacity is
  // exceeded.
  void append(const Context& context, TensorView<const float, 3> k);
  void clear() { size_ = 0; }

  int64_t size() const { return size_; }
  int64_t capacity() const { return capacity_; }
  int64_t kv_heads() const { return kv_heads_; }
  int64_t dim() const { return dim_; }
  int64_t bytes() const { return data_.bytes(); }
  // First panel of a KV head; panel i lies i * dim() * 16 floats behind it.
  const float* panels(int64_t head) const { return data_.data() + head * panels_ * dim_ * kPanel; }
  // In memory that the host reads.
  float at(int64_t key, int64_t head, int64_t d) const {
    return panels(head)[(key / kPanel * dim_ + d) * kPanel + key % kPanel];
  }

 private:
  void copy(const Context& context, TensorView<const float, 3> k);
  int64_t kv_heads_, dim_, capacity_, panels_, size_ = 0;
  Buffer<float> data_;
};

// Values [S, Hkv, D] as [Hkv, S, D]: the rows that one KV head adds up lie side by side. Capacity and errors as for
// PackedKeys.
class ValueCache {
 public:
  ValueCache(int64_t kv_heads, int64_t dim, int64_t capacity, Device& device = cpu_device());
  void append(const Context& context, TensorView<const float, 3> v);
  void clear() { size_ = 0; }

  int64_t size() const { return size_; }
  int64_t capacity() const { return capacity_; }
  int64_t kv_heads() const { return kv_heads_; }
  int64_t dim() const { return dim_; }
  int64_t bytes() const { return data_.bytes(); }
  // Value rows of a KV head, dim() floats each.
  const float* rows(int64_t head) const { return data_.data() + head * padded_ * dim_; }
  float at(int64_t key, int64_t head, int64_t d) const { return rows(head)[key * dim_ + d]; }

 private:
  void copy(const Context& context, TensorView<const float, 3> v);
  int64_t kv_heads_, dim_, capacity_, padded_, size_ = 0;
  Buffer<float> data_;
};

}  // namespace sala::ops
