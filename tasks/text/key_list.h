// Upstream's list of word keys, sorted(set(f"{adjective}-{noun}")), without its 6 million strings (spec tasks 1.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/corpora.h"

namespace sala::tasks {

// Adjectives that begin with the same word before a hyphen ("high", "high-level") are sorted together explicitly; the keys
// of every other adjective stand in a block of their own, in the order of the nouns.
class KeyList {
 public:
  explicit KeyList(const Corpora* corpora);  // null or without lists: the built-in ones
  int64_t size() const { return blocks_.empty() ? 0 : blocks_.back().end; }
  std::string operator[](int64_t index) const;

 private:
  struct Block {
    int64_t end;  // keys up to and including this block
    std::string_view adjective;
    std::vector<std::string> keys;  // sorted, when the block holds several adjectives
  };
  std::vector<std::string_view> nouns_;
  std::vector<Block> blocks_;
};

}  // namespace sala::tasks
