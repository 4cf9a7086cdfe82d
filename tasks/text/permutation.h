// A random permutation of [0, n) without a table: distinct draws in constant memory.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "sala/core/rng.h"

namespace sala::tasks {

// Four Feistel rounds over the smallest even number of bits that holds n; results outside [0, n) are permuted again.
class Permutation {
 public:
  Permutation(uint64_t n, Rng& rng) : n_(n), half_bits_((std::bit_width(n > 1 ? n - 1 : 1) + 1) / 2) {
    for (uint64_t& key : keys_) key = rng.next_u64();
  }
  uint64_t size() const { return n_; }
  uint64_t operator()(uint64_t i) const {
    const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
    do {
      uint64_t left = i >> half_bits_, right = i & mask;
      for (const uint64_t key : keys_) {
        const uint64_t mixed = mix(right ^ key) & mask;
        const uint64_t next = left ^ mixed;
        left = right;
        right = next;
      }
      i = left << half_bits_ | right;
    } while (i >= n_);
    return i;
  }

 private:
  static uint64_t mix(uint64_t x) {  // splitmix64's finaliser
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  uint64_t n_;
  int half_bits_;
  std::array<uint64_t, 4> keys_{};
};

}  // namespace sala::tasks
