// Scratch memory of one session: a stack of float and int32 blocks, reused by every layer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "sala/core/tensor.h"

namespace sala {

// take() hands out 64-byte aligned blocks; the end of a Scope gives back what was taken inside it. Contents are undefined.
// When the reserved bytes do not suffice another block is allocated, and peak_bytes() tells.
class Workspace {
 public:
  explicit Workspace(int64_t reserve_bytes = 0) {
    if (reserve_bytes > 0) blocks_.push_back(std::make_unique<Buffer<char>>(round_up(reserve_bytes)));
  }

  class Scope {
   public:
    explicit Scope(Workspace& workspace) : workspace_(workspace), block_(workspace.block_), used_(workspace.used_) {}
    ~Scope() {
      workspace_.block_ = block_;
      workspace_.used_ = used_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& workspace_;
    std::size_t block_;
    int64_t used_;
  };

  template <class T, class... Extents>
  auto take(Extents... extents) {
    const int64_t count = (int64_t{1} * ... * static_cast<int64_t>(extents));
    return make_view(static_cast<T*>(take_bytes(count * static_cast<int64_t>(sizeof(T)))), extents...);
  }
  // Bytes that a take() of `count` elements of `size` bytes uses up.
  static int64_t round_up(int64_t bytes) { return (bytes + 63) / 64 * 64; }

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
    if (block_ == blocks_.size()) blocks_.push_back(std::make_unique<Buffer<char>>(std::max<int64_t>(bytes, 1 << 16)));
    void* memory = blocks_[block_]->data() + used_;
    used_ += bytes;
    return memory;
  }
  std::vector<std::unique_ptr<Buffer<char>>> blocks_;
  std::size_t block_ = 0;
  int64_t used_ = 0;
};

}  // namespace sala
