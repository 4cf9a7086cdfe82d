#include "tasks/text/values.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sala/tasks/corpora.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr uint64_t kSplitSeed = 0x5a1a;

constexpr std::array<std::array<char, 2>, 256> kHexBytes = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = {kDigits[i / 16], kDigits[i % 16]};
  return bytes;
}();

// Writes the low `bytes` bytes as lower-case hexadecimal digits and returns their end.
char* put_hex(char* at, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) at = std::copy_n(kHexBytes[value >> shift & 255].begin(), 2, at);
  return at;
}

using Uuid = std::array<char, 36>;

Uuid draw_uuid(Rng& rng) {
  uint64_t high = rng.next_u64(), low = rng.next_u64();
  high = (high & ~uint64_t{0xf000}) | 0x4000;                // version 4
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);  // RFC variant
  Uuid uuid;
  char* at = put_hex(uuid.data(), high >> 32, 4);
  for (const uint64_t part : {high >> 16, high, low >> 48}) {
    *at++ = '-';
    at = put_hex(at, part, 2);
  }
  *at++ = '-';
  put_hex(at, low, 6);
  return uuid;
}

// The first of the uuids to come that belongs to `split`; returns its hash. A hash is one long chain of multiplications that
// cannot be hurried, but three of them take hardly longer than one.
uint64_t draw_uuid(Rng& rng, Split split, std::string& value) {
  struct Candidate {
    Uuid uuid;
    StableHash hash;
    Rng behind;  // the stream after it
  };
  const auto draw = [&] {
    const Uuid uuid = draw_uuid(rng);
    return Candidate{uuid, StableHash(kSplitSeed), rng};
  };
  while (true) {
    std::array<Candidate, 3> three = {draw(), draw(), draw()};
    auto& [a, b, c] = three;
    for (size_t i = 0; i < a.uuid.size(); ++i) a.hash.add(a.uuid[i]), b.hash.add(b.uuid[i]), c.hash.add(c.uuid[i]);
    for (const Candidate& candidate : three) {
      const uint64_t hash = candidate.hash.value();
      if (split_of(hash) != split) continue;
      rng = candidate.behind;
      value.assign(candidate.uuid.data(), candidate.uuid.size());
      return hash;
    }
  }
}

}  // namespace

uint64_t value_hash(std::string_view value) { return stable_hash(value, kSplitSeed); }

uint64_t draw_value(Rng& rng, ValueKind kind, Split split, std::string& value) {
  if (kind == ValueKind::kUuid) return draw_uuid(rng, split, value);
  const auto &first = adjectives(), &second = nouns();
  std::array<char, 16> digits;
  while (true) {
    StableHash hash(kSplitSeed);  // of the candidate, which becomes a string only if it is the one
    if (kind == ValueKind::kWord) {
      const std::string_view adjective = first[rng.below(first.size())], noun = second[rng.below(second.size())];
      hash.add(adjective), hash.add('-'), hash.add(noun);
      if (split_of(hash.value()) != split) continue;
      value.assign(adjective).append(1, '-').append(noun);
    } else {
      const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), rng.between(1000000, 9999999)).ptr;
      const std::string_view number(digits.data(), static_cast<size_t>(end - digits.data()));
      hash.add(number);
      if (split_of(hash.value()) != split) continue;
      value = number;
    }
    return hash.value();
  }
}

std::string draw_value(Rng& rng, ValueKind kind, Split split) {
  std::string value;
  draw_value(rng, kind, split, value);
  return value;
}

uint64_t draw_value(Rng& rng, ValueKind kind, const SampleRequest& request, std::string& value) {
  const Corpora* corpora = request.corpora;
  if (kind != ValueKind::kWord || corpora == nullptr || (corpora->nouns.empty() && corpora->adjectives.empty()))
    return draw_value(rng, kind, request.split, value);
  const auto draw = [&](const std::vector<std::string>& given, const std::vector<std::string_view>& built_in) {
    return given.empty() ? built_in[rng.below(built_in.size())] : std::string_view(given[rng.below(given.size())]);
  };
  value.assign(draw(corpora->adjectives, adjectives())).push_back('-');
  value.append(draw(corpora->nouns, nouns()));
  return value_hash(value);
}

}  // namespace sala::tasks
