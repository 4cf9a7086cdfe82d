// Invented words by number (spec tasks 1.11): the same number gives the same word everywhere, different numbers different
// words.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sala/tasks/task.h"

namespace sala::tasks {

// Pronounceable lower-case words of 2 to 4 syllables (20 onsets, 8 nuclei, 8 codas). A word can be cut into its syllables in
// one way only, which makes words of different numbers differ. Some equal real words: callers skip those.
inline constexpr int64_t kPseudoWords = int64_t{1} << 22;
struct PseudoWord {
  std::array<char, 32> letters;
  size_t size = 0;
  std::string_view view() const { return {letters.data(), size}; }
};
PseudoWord spell_pseudo_word(int64_t number);
inline std::string pseudo_word(int64_t number) { return std::string(spell_pseudo_word(number).view()); }

// Capitalised names of 7 or 8 letters, onset-vowel-middle-vowel-onset-vowel-final; no name is a part of another one. The
// last three letters decide by split_of() which split a name belongs to.
int64_t num_names(Split split);
std::string invented_name(Split split, int64_t number);
// True when the lower-case form of some name of either split is a part of `word` (lower case).
bool holds_name(std::string_view word);

}  // namespace sala::tasks
