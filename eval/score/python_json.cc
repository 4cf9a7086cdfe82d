#include "eval/score/python_json.h"

#include <array>
#include <string_view>

namespace sala::eval {
namespace {

// The code unit of an escape \uXXXX at text[at]; -1 when there is none.
int code_unit(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (const char c : text.substr(at + 2, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool leads(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool trails(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

}  // namespace

StandardJson standard_json(const std::string& line) {
  constexpr std::array<std::string_view, 3> kNotNumbers = {"NaN", "Infinity", "-Infinity"};
  StandardJson made;
  made.text.reserve(line.size());
  const std::string_view text = line;
  bool inside = false;  // of a text
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '"') inside = !inside;
    if (!inside) {
      bool found = false;
      for (const std::string_view word : kNotNumbers)
        if (!found && text.substr(at).starts_with(word)) {
          made.text += "null";
          ++made.not_numbers;
          at += word.size();
          found = true;
        }
      if (!found) made.text += text[at++];
      continue;
    }
    size_t bytes = text[at] == '\\' ? 2 : 1;
    if (const int unit = code_unit(text, at); unit >= 0) {
      bytes = 6;
      if (leads(unit) && trails(code_unit(text, at + 6))) bytes = 12;
      if (bytes == 6 && (leads(unit) || trails(unit))) {
        made.text += "\\ufffd";
        ++made.surrogates;
        at += bytes;
        continue;
      }
    }
    made.text += text.substr(at, bytes);
    at += bytes;
  }
  return made;
}

}  // namespace sala::eval
