#include "tasks/text/sentences.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sala::tasks {
namespace {

constexpr std::array<std::string_view, 40> kAbbreviations = {
    "Mr",  "Mrs", "Ms",  "Dr",  "Prof", "Sr",  "Jr",  "St",   "Mt",   "Gen", "Col", "Sgt", "Capt", "Lt",
    "Rev", "Hon", "Gov", "Sen", "Rep",  "Inc", "Ltd", "Co",   "Corp", "vs",  "etc", "e.g", "i.e",  "cf",
    "al",  "No",  "Vol", "Fig", "Jan",  "Feb", "Aug", "Sept", "Oct",  "Nov", "Dec", "U.S"};

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Length of a closing quote or bracket at `at`, 0 when there is none. Curly quotes are three bytes of UTF-8.
size_t closing(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  if (text[at] == '"' || text[at] == '\'' || text[at] == ')' || text[at] == ']') return 1;
  const std::string_view three = text.substr(at, 3);
  return three == "\xE2\x80\x9D" || three == "\xE2\x80\x99" ? 3 : 0;
}

bool opens_sentence(std::string_view rest) {
  if (rest.empty()) return false;
  if (is_upper(rest[0]) || is_digit(rest[0]) || rest[0] == '"' || rest[0] == '\'' || rest[0] == '(' || rest[0] == '[')
    return true;
  if (rest.starts_with("\xE2\x80\x9C") || rest.starts_with("\xE2\x80\x98")) return true;
  return rest.size() > 1 && rest[0] == '\xC3' && static_cast<unsigned char>(rest[1]) < 0x9F;  // capitals of Latin-1
}

// The word that ends before the full stop at `stop` must not be an abbreviation or an initial.
bool stop_ends_sentence(std::string_view text, size_t stop) {
  size_t begin = stop;
  while (begin > 0 && text[begin - 1] != ' ') --begin;
  std::string_view word = text.substr(begin, stop - begin);
  while (!word.empty() && !is_upper(word[0]) && !is_lower(word[0]) && !is_digit(word[0])) word.remove_prefix(1);
  if (word.size() == 1 && is_upper(word[0]) && word != "I") return false;
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), word) == kAbbreviations.end();
}

}  // namespace

std::vector<std::string_view> split_sentences(std::string_view text) {
  std::vector<std::string_view> sentences;
  size_t begin = 0;
  for (size_t at = text.find_first_of(".!?"); at != std::string_view::npos; at = text.find_first_of(".!?", at + 1)) {
    size_t end = at + 1;
    for (size_t length = closing(text, end); length > 0; length = closing(text, end)) end += length;
    if (end >= text.size() || text[end] != ' ' || !opens_sentence(text.substr(end + 1))) continue;
    if (text[at] == '.' && !stop_ends_sentence(text, at)) continue;
    sentences.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (begin < text.size()) sentences.push_back(text.substr(begin));
  return sentences;
}

}  // namespace sala::tasks
