// Non-owning strided views and the one owning buffer.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "sala/core/device.h"
#include "sala/core/error.h"

namespace sala {

// Non-owning, strided, cheap to copy: pass by value. Sizes and strides count elements.
// The last axis is contiguous (stride 1) in every view that an op accepts.
template <class T, int Rank>
struct TensorView {
  T* data = nullptr;
  std::array<int64_t, Rank> extent{};
  std::array<int64_t, Rank> stride{};

  // Row `i` of the first axis: a view of rank - 1, or a reference for rank 1.
  decltype(auto) operator[](int64_t i) const {
    if constexpr (Rank == 1) {
      return (data[i * stride[0]]);
    } else {
      TensorView<T, Rank - 1> row;
      row.data = data + i * stride[0];
      for (int axis = 1; axis < Rank; ++axis) {
        row.extent[axis - 1] = extent[axis];
        row.stride[axis - 1] = stride[axis];
      }
      return row;
    }
  }
  // Rows [begin, end) of the first axis.
  TensorView slice(int64_t begin, int64_t end) const {
    TensorView part = *this;
    part.data += begin * stride[0];
    part.extent[0] = end - begin;
    return part;
  }
  int64_t size() const {
    int64_t n = 1;
    for (int64_t e : extent) n *= e;
    return n;
  }
  operator TensorView<const T, Rank>() const requires(!std::is_const_v<T>) { return {data, extent, stride}; }
};

// Contiguous row-major view over `data`.
template <class T, class... Extents>
TensorView<T, sizeof...(Extents)> make_view(T* data, Extents... extents) {
  constexpr int kRank = sizeof...(Extents);
  TensorView<T, kRank> view;
  view.data = data;
  view.extent = {static_cast<int64_t>(extents)...};
  int64_t stride = 1;
  for (int axis = kRank - 1; axis >= 0; --axis) {
    view.stride[axis] = stride;
    stride *= view.extent[axis];
  }
  return view;
}

// Owns 64-byte aligned, zero-initialised elements on a device. Move-only; a copy is explicit. Throws Error{kMemory}.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() : device_(&cpu_device()) {}
  explicit Buffer(int64_t size, Device& device = cpu_device()) : device_(&device) { resize_discard(size); }
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept
      : device_(other.device_), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this == &other) return *this;
    release();
    device_ = other.device_;
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  // Makes room for `size` elements; contents become zero. After a throw the buffer is empty.
  void resize_discard(int64_t size);
  // Keeps the first min(old, new) elements; new ones are zero. Grows exactly to `size`. After a throw nothing has changed.
  void resize_keep(int64_t size);
  Device& device() const { return *device_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  template <class... Extents>
  auto view(Extents... extents) {
    return make_view(data(), extents...);
  }
  template <class... Extents>
  auto view(Extents... extents) const {
    return make_view(data(), extents...);
  }

 private:
  void release() noexcept {
    device_->free(std::exchange(data_, nullptr), bytes());
    size_ = 0;
  }
  Device* device_;
  T* data_ = nullptr;
  int64_t size_ = 0;
};

namespace internal {
// count * element_bytes; throws Error{kMemory} for a size that no device has.
int64_t checked_bytes(int64_t count, int64_t element_bytes);
}  // namespace internal

template <class T>
void Buffer<T>::resize_discard(int64_t size) {
  release();
  data_ = static_cast<T*>(device_->allocate(internal::checked_bytes(size, static_cast<int64_t>(sizeof(T)))));
  size_ = size;
}

template <class T>
void Buffer<T>::resize_keep(int64_t size) {
  Buffer grown(size, *device_);
  const int64_t kept = size < size_ ? size : size_;
  if (kept > 0) device_->copy(grown.data_, data_, kept * static_cast<int64_t>(sizeof(T)), Device::Copy::kWithin);
  *this = std::move(grown);
}

}  // namespace sala
