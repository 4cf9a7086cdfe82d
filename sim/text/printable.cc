#include "sim/text/printable.h"

#include "sim/text/utf8.h"

namespace sala::text {
namespace {

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  constexpr std::string_view kCut = "...";
  std::string out;
  std::size_t kept = 0;  // bytes of `out` that leave room for kCut
  while (!text.empty()) {
    const std::size_t size = valid_char_length(text);
    const char32_t c = size == 0 ? U'\xFFFD' : code_point(text, size);
    const std::string_view shown = c == '\n' ? " " : size == 0 ? kReplacement : is_control(c) ? "?" : text.substr(0, size);
    if (out.size() + shown.size() > most) {
      out.resize(kept);
      return out += kCut;
    }
    out += shown;
    if (out.size() + kCut.size() <= most) kept = out.size();
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace sala::text
