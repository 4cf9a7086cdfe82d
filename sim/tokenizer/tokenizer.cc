#include "sala/tokenizer/tokenizer.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/text/utf8.h"

namespace sala {

void Tokenizer::encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const {
  std::vector<int64_t> bytes;
  ids = encode_with_offsets(text, bytes);
  offsets.clear();
  offsets.reserve(static_cast<int64_t>(bytes.size()));
  for (const int64_t byte : bytes) offsets.push_back(byte);
}

namespace {

// Some bytes of `text` from `at` on, whole characters, newlines spelled out.
std::string excerpt(std::string_view text, size_t at) {
  constexpr size_t kBytes = 12;
  size_t end = std::min(text.size(), at + kBytes);
  while (end < text.size() && text::is_continuation(text[end])) ++end;
  std::string shown;
  for (const char c : text.substr(at, end - at)) shown += c == '\n' ? std::string("\\n") : std::string(1, c);
  return shown;
}

}  // namespace

std::string round_trip_difference(const Tokenizer& tokenizer) {
  constexpr std::string_view kText = "The Quick fox; caf\u00e9 \ufb01x 12,345.\n\nVAR Ab1 =  \"x\".\nEnd";
  std::string back;
  try {
    back = tokenizer.decode(tokenizer.encode(kText));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    return "it cannot decode";
  }
  if (back == kText) return "";
  const auto differs = std::mismatch(kText.begin(), kText.end(), back.begin(), back.end()).first - kText.begin();
  auto at = std::min(static_cast<size_t>(differs), std::min(kText.size(), back.size()));
  while (at > 0 && at < kText.size() && text::is_continuation(kText[at])) --at;
  return fmt::format("'{}' comes back as '{}'", excerpt(kText, at), excerpt(back, at));
}

}  // namespace sala
