#include "tasks/text/words.h"

#include <string>

#include "words_data.h"  // generated from tasks/data/words

namespace sala::tasks {
namespace {

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

const std::vector<std::string_view>& adjectives() {
  static const auto words = split_lines(data::kAdjectives);
  return words;
}
const std::vector<std::string_view>& nouns() {
  static const auto words = split_lines(data::kNouns);
  return words;
}
const std::vector<std::string_view>& verbs() {
  static const auto words = split_lines(data::kVerbs);
  return words;
}

const std::vector<std::string_view>& prose_adjectives() {
  static const auto words = [] {
    constexpr std::string_view kOther =
        " one two three four five six seven eight nine ten fifty hundred million other another such many more most all some "
        "same own several much every each any enough few less next only first second third fourth last certain better "
        "greatest least alone gone afraid anti over minimum maximum concerned located unable glad asleep alive aware ready ";
    std::vector<std::string_view> made;
    for (const std::string_view word : adjectives())
      if (kOther.find(" " + std::string(word) + " ") == std::string_view::npos) made.push_back(word);
    return made;
  }();
  return words;
}

}  // namespace sala::tasks
