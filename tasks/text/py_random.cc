#include "tasks/text/py_random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_set>

namespace sala::tasks {

Mt19937 Mt19937::from_number(uint32_t seed) {
  Mt19937 core;
  core.state_[0] = seed;
  for (uint32_t i = 1; i < 624; ++i) core.state_[i] = 1812433253u * (core.state_[i - 1] ^ (core.state_[i - 1] >> 30)) + i;
  return core;
}

Mt19937 Mt19937::from_array(const std::vector<uint32_t>& key) {
  Mt19937 core = from_number(19650218u);
  auto& state = core.state_;
  const auto wrap = [&](size_t& i) {
    if (++i < 624) return;
    state[0] = state[623];
    i = 1;
  };
  size_t i = 1, j = 0;
  for (size_t step = std::max<size_t>(624, key.size()); step > 0; --step) {
    state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1664525u)) + key[j] + static_cast<uint32_t>(j);
    wrap(i);
    j = (j + 1) % key.size();
  }
  for (size_t step = 623; step > 0; --step) {
    state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1566083941u)) - static_cast<uint32_t>(i);
    wrap(i);
  }
  state[0] = 0x80000000u;
  return core;
}

void Mt19937::twist() {
  for (size_t i = 0; i < 624; ++i) {
    const uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % 624] & 0x7fffffffu);
    state_[i] = state_[(i + 397) % 624] ^ (y >> 1) ^ ((y & 1) ? 0x9908b0dfu : 0u);
  }
  used_ = 0;
}

uint32_t Mt19937::next() {
  if (used_ == 624) twist();
  uint32_t y = state_[used_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

PyRandom::PyRandom(uint64_t seed)
    : core_(Mt19937::from_array(seed >> 32
                                    ? std::vector<uint32_t>{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}
                                    : std::vector<uint32_t>{static_cast<uint32_t>(seed)})) {}

double Mt19937::random() {
  const uint32_t high = next() >> 5, low = next() >> 6;
  return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
}

uint64_t PyRandom::getrandbits(int bits) {
  if (bits <= 32) return core_.next() >> (32 - bits);
  const uint64_t low = core_.next();
  return low | uint64_t{core_.next() >> (64 - bits)} << 32;
}

std::pair<uint64_t, uint64_t> PyRandom::getrandbits128() {
  const uint64_t low = getrandbits(64);
  return {getrandbits(64), low};
}

uint64_t PyRandom::below(uint64_t n) {
  const int bits = std::bit_width(n);
  uint64_t value = getrandbits(bits);
  while (value >= n) value = getrandbits(bits);
  return value;
}

int64_t PyRandom::randint(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
}

std::string PyRandom::choices(std::string_view letters, int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text.push_back(letters[static_cast<size_t>(random() * static_cast<double>(letters.size()))]);
  return text;
}

std::vector<int64_t> PyRandom::sample(int64_t n, int64_t k) {
  // CPython copies the population when that is cheaper than a set of what was drawn; the two ways consume different numbers.
  double limit = 21;
  if (k > 5) limit += std::pow(4.0, std::ceil(std::log(3.0 * static_cast<double>(k)) / std::log(4.0)));
  std::vector<int64_t> drawn;
  drawn.reserve(static_cast<size_t>(k));
  if (static_cast<double>(n) <= limit) {
    std::vector<int64_t> pool(static_cast<size_t>(n));
    for (size_t i = 0; i < pool.size(); ++i) pool[i] = static_cast<int64_t>(i);
    for (int64_t i = 0; i < k; ++i) {
      const auto j = static_cast<size_t>(below(static_cast<uint64_t>(n - i)));
      drawn.push_back(pool[j]);
      pool[j] = pool[static_cast<size_t>(n - i - 1)];
    }
    return drawn;
  }
  std::unordered_set<int64_t> seen;
  while (static_cast<int64_t>(drawn.size()) < k) {
    const auto j = static_cast<int64_t>(below(static_cast<uint64_t>(n)));
    if (seen.insert(j).second) drawn.push_back(j);
  }
  return drawn;
}

int64_t NumpyRandom::randint(int64_t low, int64_t high) {
  const auto range = static_cast<uint32_t>(high - low - 1);
  if (range == 0) return low;  // NumPy draws nothing then
  const uint32_t mask = static_cast<uint32_t>((uint64_t{1} << std::bit_width(range)) - 1);
  uint32_t value = core_.next() & mask;
  while (value > range) value = core_.next() & mask;
  return low + value;
}

}  // namespace sala::tasks
