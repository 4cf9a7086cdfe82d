// Book-like prose for NoLiMa's haystacks (spec tasks 2.8): past tense, dialogue, one paragraph a line; endless, the same on
// every machine.
#pragma once

#include <cstdint>
#include <string>

#include "sala/tasks/task.h"

namespace sala::tasks {

inline constexpr int kNarrativeSources = 10;  // differently seeded "books" that snippets are taken from
inline constexpr int kNarrativeBooks = 5;     // shuffled haystacks

// Paragraph `index` of source book `source`, 200 to 600 ASCII characters and no newline. No names, no numbers, no food,
// drink, city, museum or sport; no word that a built-in needle or question is about (tests/tasks/nolima prove it).
std::string narrative_paragraph(Split split, int source, int64_t index);

// The beginning of shuffled haystack `book`: snippets of at least 1000 characters from random sources, whole paragraphs, a
// newline behind each, until there are at least `chars` characters. A longer call begins with the text of a shorter one. No
// paragraph occurs twice in the five books.
std::string narrative_book(Split split, int book, int64_t chars);

}  // namespace sala::tasks
