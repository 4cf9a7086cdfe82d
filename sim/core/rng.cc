#include "sala/core/rng.h"

#include <cmath>
#include <numbers>

#include "sala/core/error.h"

namespace sala {
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
