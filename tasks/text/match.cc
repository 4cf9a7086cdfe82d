#include "tasks/text/match.h"

#include <utf8proc.h>

#include <cstdint>

#include "sim/text/utf8.h"

namespace sala::tasks {
namespace {

// One code point of a text; an invalid byte stands for itself and has no code (-1).
struct Character {
  int32_t code;
  std::string_view bytes;
};

Character first_of(std::string_view text) {
  const size_t size = text::valid_char_length(text);
  if (size == 0) return {-1, text.substr(0, 1)};
  return {static_cast<int32_t>(text::code_point(text, size)), text.substr(0, size)};
}

Character last_of(std::string_view text) {
  for (size_t size = 2; size <= std::min<size_t>(4, text.size()); ++size)
    if (text::valid_char_length(text.substr(text.size() - size)) == size) return first_of(text.substr(text.size() - size));
  return first_of(text.substr(text.size() - 1));
}

// str.isspace() of Python.
bool is_space(int32_t code) {
  return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_space(first_of(text).code)) text.remove_prefix(first_of(text).bytes.size());
  while (!text.empty() && is_space(last_of(text).code)) text.remove_suffix(last_of(text).bytes.size());
  return text;
}

// Letters with case, and what has case without being a letter (Roman numerals, circled letters, ordinal indicators).
bool is_cased(int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:
      return utf8proc_tolower(code) != code || utf8proc_toupper(code) != code || code == 0xaa || code == 0xba;
  }
}

// Marks and punctuation that may stand inside a word (Unicode 3.13, Case_Ignorable).
bool is_case_ignorable(int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return code == '\'' || code == '.' || code == ':' || code == 0xb7 || code == 0x2018 || code == 0x2019 ||
             code == 0x2024 || code == 0x2027;
  }
}

// Whether a capital sigma between `before` and `after` ends its word: then it is written as final sigma.
bool ends_word(std::string_view before, std::string_view after) {
  while (!before.empty() && is_case_ignorable(last_of(before).code)) before.remove_suffix(last_of(before).bytes.size());
  if (before.empty() || !is_cased(last_of(before).code)) return false;
  while (!after.empty() && is_case_ignorable(first_of(after).code)) after.remove_prefix(first_of(after).bytes.size());
  return after.empty() || !is_cased(first_of(after).code);
}

int64_t matches(std::string_view prediction, const std::vector<std::string>& references) {
  const std::string folded = lower(prediction);
  int64_t found = 0;
  for (const std::string& reference : references) found += folded.find(lower(reference)) != std::string::npos;
  return found;
}

bool is_word(int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
      return true;
    default:
      return false;
  }
}

// Whether `wanted` stands in `text` where neither of its ends continues a word.
bool holds_word(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return true;
  const bool left_is_word = is_word(first_of(wanted).code), right_is_word = is_word(last_of(wanted).code);
  for (size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
    const std::string_view before = text.substr(0, at), after = text.substr(at + wanted.size());
    const bool left = left_is_word && !before.empty() && is_word(last_of(before).code);
    const bool right = right_is_word && !after.empty() && is_word(first_of(after).code);
    if (!left && !right) return true;
  }
  return false;
}

int64_t word_matches(std::string_view prediction, const std::vector<std::string>& references) {
  const std::string folded = lower(prediction);
  int64_t found = 0;
  for (const std::string& reference : references) found += holds_word(folded, lower(reference));
  return found;
}

}  // namespace

std::string lower(std::string_view text) {
  constexpr int32_t kCapitalSigma = 0x3a3, kCapitalIWithDot = 0x130;
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Character c = first_of(text.substr(at));
    if (c.code >= 0 && c.code < 0x80) {
      out.push_back(static_cast<char>(c.code >= 'A' && c.code <= 'Z' ? c.code + 'a' - 'A' : c.code));
    } else if (c.code < 0) {
      out += c.bytes;
    } else if (c.code == kCapitalIWithDot) {
      out += "i\xCC\x87";
    } else if (c.code == kCapitalSigma) {
      out += ends_word(text.substr(0, at), text.substr(at + c.bytes.size())) ? "\xCF\x82" : "\xCF\x83";
    } else {
      utf8proc_uint8_t bytes[4];
      const auto size = utf8proc_encode_char(utf8proc_tolower(c.code), bytes);
      out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    at += c.bytes.size();
  }
  return out;
}

std::string postprocess_prediction(std::string_view prediction) {
  std::string text(strip(prediction));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = '\n';
  return std::string(strip(text));
}

double string_match_all(std::string_view prediction, const std::vector<std::string>& references) {
  if (references.empty()) return 0;
  return static_cast<double>(matches(postprocess_prediction(prediction), references)) /
         static_cast<double>(references.size());
}

double string_match_part(std::string_view prediction, const std::vector<std::string>& references) {
  return matches(postprocess_prediction(prediction), references) > 0 ? 1 : 0;
}

double word_match_all(std::string_view prediction, const std::vector<std::string>& references) {
  if (references.empty()) return 0;
  return static_cast<double>(word_matches(postprocess_prediction(prediction), references)) /
         static_cast<double>(references.size());
}

double word_match_part(std::string_view prediction, const std::vector<std::string>& references) {
  return word_matches(postprocess_prediction(prediction), references) > 0 ? 1 : 0;
}

}  // namespace sala::tasks
