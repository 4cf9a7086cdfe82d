// UTF-8 as SentencePiece reads it: an invalid byte stands for U+FFFD and is one byte long.
#pragma once

#include <cstddef>
#include <string_view>

namespace sala::tokenizer {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the valid character at the start of `text` (not empty), or 0 when its first byte does not begin one.
inline size_t valid_char_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto trail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF && trail(1)) return 2;
  if (lead >= 0xE0 && lead <= 0xEF && trail(1) && trail(2)) {
    const unsigned value = (lead & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    return value >= 0x800 && (value < 0xD800 || value > 0xDFFF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4 && trail(1) && trail(2) && trail(3)) {
    const unsigned value = (lead & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    return value >= 0x10000 && value <= 0x10FFFF ? 4 : 0;
  }
  return 0;
}

}  // namespace sala::tokenizer
