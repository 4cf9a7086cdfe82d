// UTF-8 as SentencePiece reads it: an invalid byte stands for U+FFFD and is one byte long. The one decoder of the project.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sala::text {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The text without the mark that some editors put in front.
inline std::string_view without_byte_order_mark(std::string_view text) {
  return text.substr(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
}

// A byte inside a character, not at its beginning.
inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Length of the valid character at the start of `text` (not empty), or 0 when its first byte does not begin one.
inline size_t valid_char_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto trail = [&](size_t i) { return i < text.size() && is_continuation(text[i]); };
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

// Bytes of the longest beginning of a character at the start of `text`, which begins with no valid one; at least 1.
inline size_t broken_char_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t size = lead >= 0xC2 && lead <= 0xDF   ? 2
                      : lead >= 0xE0 && lead <= 0xEF ? 3
                      : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                     : 1;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  size_t length = 1;
  if (size > 1 && text.size() > 1 && byte(1) >= low && byte(1) <= high)
    for (length = 2; length < size && length < text.size() && is_continuation(text[length]);) ++length;
  return length;
}

// Code point of the valid character of `size` bytes (valid_char_length) at the start of `text`.
inline char32_t code_point(std::string_view text, size_t size) {
  char32_t value = static_cast<unsigned char>(text[0]);
  if (size > 1) value &= 0x7Fu >> size;
  for (size_t i = 1; i < size; ++i) value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  return value;
}

// Bytes of valid UTF-8 at the beginning of `text`.
inline size_t valid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t size = valid_char_length(text.substr(at, 4));
    if (size == 0) break;
    at += size;
  }
  return at;
}

// All code points; U+FFFD for each invalid byte.
inline std::u32string code_points(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  while (!text.empty()) {
    const size_t size = valid_char_length(text);
    points.push_back(size == 0 ? U'\xFFFD' : code_point(text, size));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return points;
}

// How many code points a valid text has.
inline int64_t count_code_points(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += !is_continuation(c);
  return count;
}

// The text with U+FFFD in place of each invalid byte.
inline std::string with_replacements(std::string_view text) {
  std::string clean;
  for (size_t at = 0; at < text.size();) {
    const size_t size = valid_char_length(text.substr(at));
    clean += size == 0 ? kReplacement : text.substr(at, size);
    at += size == 0 ? 1 : size;
  }
  return clean;
}

}  // namespace sala::text
