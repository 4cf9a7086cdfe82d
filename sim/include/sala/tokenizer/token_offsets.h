// Where the tokens of a text begin, in about one byte a token.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace sala {

// Offsets of tokens 0, 1, ... in bytes. They do not fall from one token to the next (several tokens of one character have
// the same). A step from token to token takes one byte, and every 64th token its whole offset besides.
class TokenOffsets {
 public:
  void clear() {
    steps_.clear(), blocks_.clear(), far_.clear();
    last_ = 0;
  }
  void reserve(int64_t tokens) {
    steps_.reserve(static_cast<size_t>(tokens));
    blocks_.reserve(static_cast<size_t>(tokens / kBlock + 1));
  }
  void push_back(int64_t byte) {
    const auto step = static_cast<uint64_t>(byte - last_);
    if (steps_.size() % kBlock == 0 || step >= kFar) note(byte, step);
    steps_.push_back(static_cast<uint8_t>(std::min<uint64_t>(step, kFar)));
    last_ = byte;
  }
  int64_t size() const { return static_cast<int64_t>(steps_.size()); }
  bool empty() const { return steps_.empty(); }
  // First byte of `token`, which is in [0, size()).
  int64_t operator[](int64_t token) const {
    const int64_t block = token / kBlock;
    int64_t byte = blocks_[static_cast<size_t>(block)];
    for (int64_t i = block * kBlock + 1; i <= token; ++i) byte = next(byte, i);
    return byte;
  }
  // How many tokens begin before `byte`.
  int64_t before(int64_t byte) const {
    const auto block = std::lower_bound(blocks_.begin(), blocks_.end(), byte) - blocks_.begin() - 1;
    if (block < 0) return 0;
    int64_t token = block * kBlock, at = blocks_[static_cast<size_t>(block)];
    const int64_t end = std::min<int64_t>(size(), token + kBlock);
    while (at < byte && ++token < end) at = next(at, token);
    return token;
  }
  // The token that holds `byte`; of several that begin at the same byte the first, and 0 before all tokens.
  int64_t holding(int64_t byte) const {
    int64_t token = std::max<int64_t>(0, before(byte + 1) - 1);
    while (token > 0 && steps_[static_cast<size_t>(token)] == 0) --token;
    return token;
  }

 private:
  void note(int64_t byte, uint64_t step) {
    if (steps_.size() % kBlock == 0) blocks_.push_back(byte);
    if (step >= kFar) far_.emplace_back(size(), byte);
  }
  static constexpr int64_t kBlock = 64;
  static constexpr uint64_t kFar = 255;  // a step of this size or more: the offset is in far_
  int64_t next(int64_t byte, int64_t token) const {
    const uint8_t step = steps_[static_cast<size_t>(token)];
    if (step < kFar) return byte + step;
    return std::lower_bound(far_.begin(), far_.end(), std::pair<int64_t, int64_t>(token, 0))->second;
  }
  std::vector<uint8_t> steps_;
  std::vector<int64_t> blocks_;
  std::vector<std::pair<int64_t, int64_t>> far_;  // token, first byte
  int64_t last_ = 0;
};

}  // namespace sala
