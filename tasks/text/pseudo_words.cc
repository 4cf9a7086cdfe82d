#include "tasks/text/pseudo_words.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "sala/core/error.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

// No coda followed by an onset can be read as another coda followed by another onset.
constexpr std::array<std::string_view, 20> kOnsets = {"b", "d", "f", "g", "h", "j", "k", "l",  "m",  "n",
                                                      "p", "r", "s", "t", "v", "w", "z", "br", "dr", "tr"};
constexpr std::array<std::string_view, 8> kNuclei = {"a", "e", "i", "o", "u", "ai", "ea", "ou"};
constexpr std::array<std::string_view, 8> kCodas = {"", "l", "m", "n", "r", "s", "x", "k"};
constexpr uint64_t kSyllables = 20 * 8 * 8;

struct Syllable {
  std::array<char, 8> letters{};  // 5 at most; a word has 4 syllables at most
  size_t size = 0;
};
std::vector<Syllable> syllables_by_number() {
  std::vector<Syllable> list;
  for (const std::string_view coda : kCodas)
    for (const std::string_view nucleus : kNuclei)
      for (const std::string_view onset : kOnsets) {
        Syllable& made = list.emplace_back();
        for (const std::string_view part : {onset, nucleus, coda})
          for (const char letter : part) made.letters[made.size++] = letter;
      }
  return list;
}

constexpr std::string_view kNameOnsets = "bdfghklmnprstvwz", kVowels = "aeiou", kFinals = "nrlsmk";
constexpr std::array<std::string_view, 24> kMiddles = {"b", "d", "f", "g", "h",  "k",  "l",  "m",  "n",  "p",  "r",  "s",
                                                       "t", "v", "w", "z", "lv", "rd", "nd", "zd", "rk", "ld", "mb", "vr"};
constexpr int64_t kHeads = 16 * 5 * 24 * 5;

// Spreads neighbouring numbers below 2^32; a permutation of [0, n) because the factor is a prime that does not divide n.
// Neighbours stay a constant apart: only for numbers that were drawn.
uint64_t spread(uint64_t number, uint64_t n) { return number * 2654435761u % n; }

// A permutation of [0, n) in which a number says nothing of its neighbours: entity and answer have neighbouring numbers, and
// with a constant between them the letters of one would follow from those of the other. Each step is a bijection of as many
// bits as n needs; what falls outside goes round again.
uint64_t scatter(uint64_t number, uint64_t n) {
  const int bits = std::bit_width(n - 1), half = (bits + 1) / 2;
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  do {
    for (const uint64_t factor : {0x9E3779B1u, 0x85EBCA77u, 0xC2B2AE3Du}) {
      number ^= number >> half;
      number = number * factor & mask;
    }
    number ^= number >> half;
  } while (number >= n);
  return number;
}

// The endings (onset, vowel, final) of one split.
const std::vector<std::string>& endings(Split split) {
  const auto make = [](Split wanted) {
    std::vector<std::string> list;
    for (const char onset : kNameOnsets)
      for (const char vowel : kVowels)
        for (const char last : kFinals)
          if (std::string ending{onset, vowel, last}; split_of(ending) == wanted) list.push_back(std::move(ending));
    return list;
  };
  static const std::vector<std::string> eval = make(Split::kEval), train = make(Split::kTrain);
  return split == Split::kEval ? eval : train;
}

bool name_at(std::string_view text) {
  const auto letter = [](std::string_view set, char c) { return set.find(c) != std::string_view::npos; };
  for (const size_t middle : {size_t{1}, size_t{2}}) {
    if (text.size() < middle + 6 || !letter(kNameOnsets, text[0]) || !letter(kVowels, text[1])) continue;
    if (std::find(kMiddles.begin(), kMiddles.end(), text.substr(2, middle)) == kMiddles.end()) continue;
    const std::string_view rest = text.substr(2 + middle);
    if (letter(kVowels, rest[0]) && letter(kNameOnsets, rest[1]) && letter(kVowels, rest[2]) && letter(kFinals, rest[3]))
      return true;
  }
  return false;
}

}  // namespace

PseudoWord spell_pseudo_word(int64_t number) {
  static const std::vector<Syllable> list = syllables_by_number();
  SALA_DCHECK(number >= 0 && number < kPseudoWords);
  const auto quarter = static_cast<uint64_t>(number) >> 2;
  const int kind = static_cast<int>(number & 3);  // of four words one has 2 syllables, two have 3, one has 4
  const int syllables = kind == 0 ? 2 : kind == 3 ? 4 : 3;
  uint64_t n = 1;
  for (int i = 0; i < syllables; ++i) n *= kSyllables;
  uint64_t code = spread(syllables == 3 ? quarter * 2 + static_cast<uint64_t>(kind - 1) : quarter, n);
  PseudoWord word;
  for (int i = 0; i < syllables; ++i, code /= kSyllables) {
    const Syllable& next = list[code % kSyllables];
    // Copied whole: the next one covers what is behind its end.
    std::memcpy(word.letters.data() + word.size, next.letters.data(), sizeof(next.letters));
    word.size += next.size;
  }
  return word;
}

int64_t num_names(Split split) { return kHeads * static_cast<int64_t>(endings(split).size()); }

std::string invented_name(Split split, int64_t number) {
  const auto& tails = endings(split);
  const uint64_t code = scatter(static_cast<uint64_t>(number % num_names(split)), static_cast<uint64_t>(num_names(split)));
  uint64_t head = code / tails.size();
  std::string name(1, static_cast<char>(kNameOnsets[head % 16] - 'a' + 'A'));
  name += kVowels[head / 16 % 5];
  name += kMiddles[head / 80 % 24];
  name += kVowels[head / 1920];
  name += tails[code % tails.size()];
  return name;
}

bool holds_name(std::string_view word) {
  for (size_t at = 0; at < word.size(); ++at)
    if (name_at(word.substr(at))) return true;
  return false;
}

}  // namespace sala::tasks
