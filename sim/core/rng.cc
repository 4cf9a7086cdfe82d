#include "sala/core/rng.h"

#include <cmath>
#include <numbers>

#include "sala/core/error.h"

namespace sala {
namespace {

uint64_t splitmix_finalise(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

uint64_t stable_hash(std::string_view text, uint64_t seed) {
  uint64_t h = 0xcbf29ce484222325u ^ splitmix_finalise(seed + 0x9e3779b97f4a7c15u);
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return splitmix_finalise(h);
}

Rng::Rng(uint64_t seed, std::string_view domain, uint64_t sample, uint32_t stream) {
  const uint64_t h = stable_hash(domain, seed);
  key_ = {static_cast<uint32_t>(h), static_cast<uint32_t>(h >> 32)};
  counter_ = {0, stream, static_cast<uint32_t>(sample), static_cast<uint32_t>(sample >> 32)};
}

void Rng::refill() {
  if (ended_)
    throw Error(ErrorCode::kInternal, "Rng: a stream holds 2^34 numbers; use one stream for each tensor or sample");
  block_ = philox4x32(counter_, key_);
  ended_ = ++counter_[0] == 0;
  used_ = 0;
}

uint32_t Rng::next_u32() {
  if (used_ == 4) refill();
  return block_[used_++];
}

uint64_t Rng::next_u64() {
  const uint64_t low = next_u32();
  return low | (uint64_t{next_u32()} << 32);
}

uint64_t Rng::below(uint64_t n) {
  const uint64_t threshold = (0 - n) % n;  // values below it would be over-represented
  while (true) {
    const unsigned __int128 product = static_cast<unsigned __int128>(next_u64()) * n;
    if (static_cast<uint64_t>(product) >= threshold) return static_cast<uint64_t>(product >> 64);
  }
}

int64_t Rng::between(int64_t lo, int64_t hi) {
  const auto low = static_cast<uint64_t>(lo);
  return static_cast<int64_t>(low + below(static_cast<uint64_t>(hi) - low + 1));  // unsigned: hi - lo may not fit in int64
}

double Rng::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace sala
