#include "tasks/text/key_list.h"

#include <algorithm>

#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

std::vector<std::string_view> sorted_distinct(const std::vector<std::string>* given,
                                              const std::vector<std::string_view>& built_in) {
  std::vector<std::string_view> words = built_in;
  if (given != nullptr && !given->empty()) words.assign(given->begin(), given->end());
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

std::string_view head(std::string_view adjective) { return adjective.substr(0, adjective.find('-')); }

std::string key_of(std::string_view adjective, std::string_view noun) {
  return std::string(adjective).append("-").append(noun);
}

}  // namespace

KeyList::KeyList(const Corpora* corpora) : nouns_(sorted_distinct(corpora ? &corpora->nouns : nullptr, nouns())) {
  std::vector<std::string_view> list = sorted_distinct(corpora ? &corpora->adjectives : nullptr, adjectives());
  // Keys sort by head + "-" first: "ab-x" < "abc-x" because '-' is before the letters.
  std::stable_sort(list.begin(), list.end(),
                   [](std::string_view a, std::string_view b) { return key_of(head(a), "") < key_of(head(b), ""); });
  for (size_t i = 0; i < list.size();) {
    Block block{size(), list[i], {}};
    size_t next = i + 1;
    while (next < list.size() && head(list[next]) == head(list[i])) ++next;
    if (next - i > 1) {
      for (; i < next; ++i)
        for (const std::string_view noun : nouns_) block.keys.push_back(key_of(list[i], noun));
      std::sort(block.keys.begin(), block.keys.end());
      block.keys.erase(std::unique(block.keys.begin(), block.keys.end()), block.keys.end());
    }
    block.end += static_cast<int64_t>(block.keys.empty() ? nouns_.size() : block.keys.size());
    blocks_.push_back(std::move(block));
    i = next;
  }
}

std::string KeyList::operator[](int64_t index) const {
  const auto block =
      std::upper_bound(blocks_.begin(), blocks_.end(), index, [](int64_t at, const Block& b) { return at < b.end; });
  const int64_t begin = block == blocks_.begin() ? 0 : (block - 1)->end;
  const auto within = static_cast<size_t>(index - begin);
  return block->keys.empty() ? key_of(block->adjective, nouns_[within]) : block->keys[within];
}

}  // namespace sala::tasks
