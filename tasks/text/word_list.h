// Many short words in little memory.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace sala::tasks {

// Words 0, 1, ..., one behind the other in one text of less than 4 GiB: the longest list of ours takes 40 MB.
class WordList {
 public:
  WordList() = default;
  WordList(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) push_back(word);
  }
  void push_back(std::string_view word) {
    text_ += word;
    ends_.push_back(static_cast<uint32_t>(text_.size()));
  }
  void clear() { text_.clear(), ends_.clear(); }
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t word) const {
    const auto at = static_cast<size_t>(word);
    const size_t begin = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(text_).substr(begin, ends_[at] - begin);
  }

 private:
  std::string text_;
  std::vector<uint32_t> ends_;
};

}  // namespace sala::tasks
