// Scratch memory: a stack of blocks, reused by every layer of a session and by every op.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "sala/core/tensor.h"

namespace sala {

// take() hands out 64-byte aligned blocks; the end of a Scope gives back what was taken inside it. Contents are undefined.
// One thread takes; what it took may be used by the tiles of a parallel loop. Whoever reserves says how much is needed (the
// memory plan of a session); when that was too little the stack grows, and peak_bytes() exceeds reserved_bytes().
class Workspace {
 public:
  explicit Workspace(int64_t reserve_bytes = 0, Device& device = cpu_device())
      : device_(device), reserved_(round_up(reserve_bytes)) {
    if (reserved_ > 0) blocks_.push_back(std::make_unique<Buffer<char>>(reserved_, device_));
  }

  class Scope {
   public:
    explicit Scope(Workspace& workspace)
        : workspace_(workspace), block_(workspace.block_), used_(workspace.used_), in_use_(workspace.in_use_) {}
    ~Scope() {
      workspace_.block_ = block_;
      workspace_.used_ = used_;
      workspace_.in_use_ = in_use_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& workspace_;
    std::size_t block_;
    int64_t used_, in_use_;
  };

  template <class T, class... Extents>
  auto take(Extents... extents) {
    const int64_t count = (int64_t{1} * ... * static_cast<int64_t>(extents));
    return make_view(static_cast<T*>(take_bytes(count * static_cast<int64_t>(sizeof(T)))), extents...);
  }
  // What a take() of `count` elements uses up.
  template <class T>
  static int64_t bytes_of(int64_t count) {
    return round_up(count * static_cast<int64_t>(sizeof(T)));
  }
  static int64_t round_up(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  int64_t reserved_bytes() const { return reserved_; }
  // Most that was taken at a time.
  int64_t peak_bytes() const { return peak_; }
  int64_t allocated_bytes() const {
    int64_t sum = 0;
    for (const auto& block : blocks_) sum += block->bytes();
    return sum;
  }

 private:
  void* take_bytes(int64_t bytes) {
    bytes = round_up(bytes);
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_]->size()) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size())
      blocks_.push_back(std::make_unique<Buffer<char>>(std::max<int64_t>(bytes, 1 << 16), device_));
    void* memory = blocks_[block_]->data() + used_;
    used_ += bytes;
    in_use_ += bytes;
    peak_ = std::max(peak_, in_use_);
    return memory;
  }
  Device& device_;
  std::vector<std::unique_ptr<Buffer<char>>> blocks_;
  std::size_t block_ = 0;
  int64_t used_ = 0, in_use_ = 0, reserved_ = 0, peak_ = 0;
};

// Counts what a Workspace would give: code that takes its scratch from either says how much it needs by the same lines.
class ByteCounter {
 public:
  template <class T, class... Extents>
  auto take(Extents... extents) {
    const int64_t count = (int64_t{1} * ... * static_cast<int64_t>(extents));
    bytes_ += Workspace::bytes_of<T>(count);
    return make_view(static_cast<T*>(nullptr), extents...);
  }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t bytes_ = 0;
};

}  // namespace sala
