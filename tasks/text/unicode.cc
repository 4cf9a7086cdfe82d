#include "tasks/text/unicode.h"

#include "sim/text/utf8.h"

namespace sala::tasks {

size_t whitespace_length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned first = static_cast<unsigned char>(text[0]);
  if (first == ' ' || (first >= 0x09 && first <= 0x0d) || (first >= 0x1c && first <= 0x1f)) return 1;
  if (first != 0xC2 && (first < 0xE1 || first > 0xE3)) return 0;  // none of them begins otherwise
  const size_t size = text::valid_char_length(text);
  if (size == 0) return 0;
  const char32_t point = text::code_point(text, size);
  const bool space = point == 0x85 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
                     point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
  return space ? size : 0;
}

std::string_view strip_whitespace(std::string_view text) {
  for (size_t length = whitespace_length(text); length > 0; length = whitespace_length(text)) text.remove_prefix(length);
  while (!text.empty()) {
    size_t cut = 0;
    for (size_t length = 1; length <= 3 && length <= text.size() && cut == 0; ++length)
      if (whitespace_length(text.substr(text.size() - length)) == length) cut = length;
    if (cut == 0) break;
    text.remove_suffix(cut);
  }
  return text;
}

std::string collapse_whitespace(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = whitespace_length(text.substr(at, 3));
    if (length == 0) {
      out.push_back(text[at++]);
      continue;
    }
    out.push_back(' ');
    while (at < text.size()) {
      const size_t more = whitespace_length(text.substr(at, 3));
      if (more == 0) break;
      at += more;
    }
  }
  return out;
}

}  // namespace sala::tasks
