#include "tasks/text/values.h"

#include <fmt/format.h>

#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr uint64_t kSplitSeed = 0x5a1a;

std::string draw_uuid(Rng& rng) {
  uint64_t high = rng.next_u64(), low = rng.next_u64();
  high = (high & ~uint64_t{0xf000}) | 0x4000;                  // version 4
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);    // RFC variant
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffff);
}

}  // namespace

Split split_of(std::string_view value) { return stable_hash(value, kSplitSeed) % 4 == 0 ? Split::kEval : Split::kTrain; }

std::string draw_value(Rng& rng, ValueKind kind, Split split) {
  while (true) {
    std::string value;
    switch (kind) {
      case ValueKind::kWord: {
        const std::string_view adjective = adjectives()[rng.below(adjectives().size())];
        value = fmt::format("{}-{}", adjective, nouns()[rng.below(nouns().size())]);
        break;
      }
      case ValueKind::kNumber: value = std::to_string(rng.between(1000000, 9999999)); break;
      case ValueKind::kUuid: value = draw_uuid(rng); break;
    }
    if (split_of(value) == split) return value;
  }
}

}  // namespace sala::tasks
