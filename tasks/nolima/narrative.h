// Book-like prose for NoLiMa's haystacks (spec tasks 2.8): past tense, dialogue, one paragraph a line; endless, the same on
// every machine.
#pragma once

#include <cstdint>
#include <string>

#include "sala/tasks/task.h"

namespace sala::tasks {

inline constexpr int kNarrativeSources = 10;  // differently seeded "books" that snippets are taken from
inline constexpr int kNarrativeBooks = 5;     // shuffled haystacks
// Training has as many haystacks as it pleases: of five a member would know every line, and with it whose line is new.
inline constexpr int kTrainingBooks = 4096;
inline constexpr int narrative_books(Split split) { return split == Split::kEval ? kNarrativeBooks : kTrainingBooks; }

// Paragraph `index` of source book `source`, 200 to 600 ASCII characters and no newline. No numbers, no food, drink, city,
// museum or sport; no word that a built-in needle or question is about (tests/tasks/nolima prove it). Each of its two people
// goes by one of bystander_names() two times in five, as people in novels do: else the name of the needle would be the only
// one, and be found without knowing what the question asks to know.
std::string narrative_paragraph(Split split, int source, int64_t index);
// The book that paragraph `index` is in.
int64_t narrative_book_of(int64_t index);

// The beginning of shuffled haystack `book`: snippets of at least 1000 characters from random sources, whole paragraphs, a
// newline behind each, until there are at least `chars` characters. A longer call begins with the text of a shorter one. No
// paragraph occurs twice in all books.
std::string narrative_book(Split split, int book, int64_t chars);

}  // namespace sala::tasks
