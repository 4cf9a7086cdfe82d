#include "tasks/text/words.h"

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

}  // namespace sala::tasks
