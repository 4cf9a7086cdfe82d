// The built-in word lists (tasks/data/words, embedded at build time), most frequent first.
#pragma once

#include <string_view>
#include <vector>

namespace sala::tasks {

const std::vector<std::string_view>& adjectives();
const std::vector<std::string_view>& nouns();
const std::vector<std::string_view>& verbs();

}  // namespace sala::tasks
