// The built-in word lists (tasks/data/words, embedded at build time), most frequent first.
#pragma once

#include <string_view>
#include <vector>

namespace sala::tasks {

const std::vector<std::string_view>& adjectives();
const std::vector<std::string_view>& nouns();
const std::vector<std::string_view>& verbs();

// The adjectives that can stand between an article and a noun of built-in prose: no numbers, quantities, predicates.
const std::vector<std::string_view>& prose_adjectives();

}  // namespace sala::tasks
