// Added tokens of a tokenizer.json in a text: the longest at each place, cut out with the white space that they take.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/tokenizer/hf_config.h"

namespace sala::tokenizer {

class TokenFinder {
 public:
  // Looks for `content`, which is what the normaliser makes of the token's where that matters. Throws Error{kFormat} when
  // another token is looked for by the same.
  void add(const std::string& content, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }
  // Calls use(token, begin, end) for every token and, with null, for every gap that is not empty, in order. Follows
  // find_matches() of the reference (tokenizers, added_vocabulary.rs).
  template <class Use>
  void scan(std::string_view text, const Use& use) const {
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      const auto [token, size] = longest(text.substr(at));
      if (token == nullptr) {
        ++at;
        continue;
      }
      size_t begin = at, end = at + size;
      at = end;
      if (token->single_word && (word_ends(text.substr(0, begin)) || word_begins(text.substr(end)))) continue;
      if (token->lstrip) begin = std::max(begin - spaces_at_end(text.substr(0, begin)), done);
      if (token->rstrip) end += spaces_at_begin(text.substr(end));
      if (done < begin) use(nullptr, done, begin);
      use(token, begin, end);
      done = end;
    }
    if (done < text.size()) use(nullptr, done, text.size());
  }

 private:
  std::pair<const AddedToken*, size_t> longest(std::string_view text) const;
  static bool word_ends(std::string_view text);
  static bool word_begins(std::string_view text);
  static size_t spaces_at_end(std::string_view text);
  static size_t spaces_at_begin(std::string_view text);

  std::unordered_map<std::string, AddedToken> tokens_;
  std::array<std::vector<size_t>, 256> lengths_;  // by first byte, descending
};

}  // namespace sala::tokenizer
