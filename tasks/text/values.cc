#include "tasks/text/values.h"

#include "sala/tasks/corpora.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr uint64_t kSplitSeed = 0x5a1a;

// Writes `digits` lower-case hexadecimal digits and returns their end.
char* put_hex(char* at, uint64_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[value >> shift & 15];
  return at;
}

void draw_uuid(Rng& rng, std::string& text) {
  uint64_t high = rng.next_u64(), low = rng.next_u64();
  high = (high & ~uint64_t{0xf000}) | 0x4000;                // version 4
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);  // RFC variant
  text.resize(36);
  char* at = put_hex(text.data(), high >> 32, 8);
  for (const uint64_t part : {high >> 16, high, low >> 48}) {
    *at++ = '-';
    at = put_hex(at, part, 4);
  }
  *at++ = '-';
  put_hex(at, low, 12);
}

}  // namespace

Split split_of(std::string_view value) { return stable_hash(value, kSplitSeed) % 4 == 0 ? Split::kEval : Split::kTrain; }

void draw_value(Rng& rng, ValueKind kind, Split split, std::string& value) {
  do {
    value.clear();
    switch (kind) {
      case ValueKind::kWord:
        value.append(adjectives()[rng.below(adjectives().size())]).push_back('-');
        value.append(nouns()[rng.below(nouns().size())]);
        break;
      case ValueKind::kNumber:
        value = std::to_string(rng.between(1000000, 9999999));
        break;
      case ValueKind::kUuid:
        draw_uuid(rng, value);
        break;
    }
  } while (split_of(value) != split);
}

std::string draw_value(Rng& rng, ValueKind kind, Split split) {
  std::string value;
  draw_value(rng, kind, split, value);
  return value;
}

void draw_value(Rng& rng, ValueKind kind, const SampleRequest& request, std::string& value) {
  const Corpora* corpora = request.corpora;
  if (kind != ValueKind::kWord || corpora == nullptr || (corpora->nouns.empty() && corpora->adjectives.empty()))
    return draw_value(rng, kind, request.split, value);
  const auto draw = [&](const std::vector<std::string>& given, const std::vector<std::string_view>& built_in) {
    return given.empty() ? built_in[rng.below(built_in.size())] : std::string_view(given[rng.below(given.size())]);
  };
  value.assign(draw(corpora->adjectives, adjectives())).push_back('-');
  value.append(draw(corpora->nouns, nouns()));
}

}  // namespace sala::tasks
