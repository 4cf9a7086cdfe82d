// Counter-based randomness: a stream is a pure function of (seed, domain, sample, stream), so that sample 37
// can be made without samples 0 to 36, on any machine, in any order.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace sala {

// One block of Philox-4x32-10 (Salmon et al., SC 2011): four 32-bit numbers, a bijection of `counter` for each key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The key is a 64-bit hash of (seed, domain); the counter holds block, stream and sample. A stream ends after 2^34 32-bit
// numbers: drawing further throws Error{kInternal} rather than repeat itself.
class Rng {
 public:
  Rng(uint64_t seed, std::string_view domain, uint64_t sample = 0, uint32_t stream = 0);

  uint32_t next_u32() {
    if (used_ == 4) refill();
    return block_[used_++];
  }
  uint64_t next_u64() {
    const uint64_t low = next_u32();
    return low | (uint64_t{next_u32()} << 32);
  }
  // Uniform integer in [0, n), unbiased (Lemire's rejection); n >= 1.
  uint64_t below(uint64_t n) {
    __extension__ using Product = unsigned __int128;
    while (true) {
      const Product product = static_cast<Product>(next_u64()) * n;
      const auto low = static_cast<uint64_t>(product);
      // Values below 2^64 mod n would be over-represented; that is less than n, and a division is slow.
      if (low >= n || low >= (0 - n) % n) return static_cast<uint64_t>(product >> 64);
    }
  }
  // Uniform integer in [lo, hi], both inclusive; hi - lo < 2^64 - 1.
  int64_t between(int64_t lo, int64_t hi);
  // Uniform double in [0, 1) with 53 bits.
  double uniform();
  // Standard normal (Box-Muller on two uniforms; libm-dependent in the last bit: not for evaluation samples).
  double normal();
  // Fisher-Yates from the last element down.
  template <class Container>
  void shuffle(Container& items) {
    for (uint64_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  void refill();
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
  bool ended_ = false;
};

// FNV-1a 64 followed by the splitmix64 finaliser: the project's one string hash (train/eval split, ids, caches). Byte by
// byte, so that the hashes of several texts can be made side by side.
class StableHash {
 public:
  constexpr explicit StableHash(uint64_t seed = 0) : state_(0xcbf29ce484222325u ^ finalise(seed + 0x9e3779b97f4a7c15u)) {}
  constexpr void add(char c) { state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u; }
  constexpr void add(std::string_view text) {
    for (const char c : text) add(c);
  }
  constexpr uint64_t value() const { return finalise(state_); }

 private:
  static constexpr uint64_t finalise(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  uint64_t state_;
};
constexpr uint64_t stable_hash(std::string_view text, uint64_t seed = 0) {
  StableHash hash(seed);
  hash.add(text);
  return hash.value();
}

}  // namespace sala
