// Sentence splitting by rule, where upstream calls NLTK's trained Punkt model (spec tasks 1.11).
#pragma once

#include <string_view>
#include <vector>

namespace sala::tasks {

// Splits after . ! or ? (and closing quotes or brackets after it) when a space and then an upper-case letter, a digit, a
// quote or an opening bracket follow. Not after an abbreviation ("Mr.", "e.g.", ...) or a single initial ("J."). Sentences
// are views into `text` without the space between them: joined by one space they give `text` back when it holds no other
// whitespace. Punkt differs: it learns abbreviations, so it keeps some sentences together that this rule splits and splits
// some that it does not.
std::vector<std::string_view> split_sentences(std::string_view text);

}  // namespace sala::tasks
