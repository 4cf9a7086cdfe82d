// Does a needle set keep its promise that question and needle share no word, and that the haystack gives nothing away (spec
// tasks 2.7)?
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/nolima/needle_set.h"

namespace sala::tasks {

// Words of `text` without stop words, lower case, cut to a stem: plural, -ing, -ed, -ly and their like removed.
std::set<std::string> content_stems(std::string_view text);

// What a haystack is made of, for the checks.
struct HaystackWords {
  std::set<std::string> words;  // as written
  std::set<std::string> stems;  // content_stems()
  void add(std::string_view text);
};

// One sentence for each broken rule, empty when all hold:
//   needle and question of a pair share no stem; no argument (needle keyword or query keyword) has a stem that the haystack
//   has too; no name of a character set is a word of the haystack, or part of another name; a needle begins with a phrase of
//   its own before {CHAR} or {1}.
std::vector<std::string> check_needle_set(const NeedleSet& set, const HaystackWords& haystack);
// Our own set has each template in both orders: an id without suffix and one with.
std::vector<std::string> check_orders(const NeedleSet& set);

}  // namespace sala::tasks
