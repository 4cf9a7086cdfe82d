#include "sim/tokenizer/token_finder.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/text/printable.h"
#include "sim/text/utf8.h"
#include "sim/tokenizer/text_split.h"

namespace sala::tokenizer {
namespace {

// Bytes of the last character, 0 when it is no valid one.
size_t last_length(std::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(4, text.size()); ++size)
    if (!text::is_continuation(text[text.size() - size]))
      return text::valid_char_length(text.substr(text.size() - size)) == size ? size : 0;
  return 0;
}

}  // namespace

void TokenFinder::add(const std::string& content, const AddedToken& token) {
  if (!tokens_.emplace(content, token).second)
    throw Error(ErrorCode::kFormat, "tokenizer: two added tokens are '{}'", text::printable(content, 60));
  std::vector<size_t>& lengths = lengths_[static_cast<unsigned char>(content[0])];
  const auto place = std::lower_bound(lengths.begin(), lengths.end(), content.size(), std::greater<>());
  if (place == lengths.end() || *place != content.size()) lengths.insert(place, content.size());
}

std::pair<const AddedToken*, size_t> TokenFinder::longest(std::string_view text) const {
  for (const size_t length : lengths_[static_cast<unsigned char>(text[0])])
    if (length <= text.size())
      if (const auto found = tokens_.find(std::string(text.substr(0, length))); found != tokens_.end())
        return {&found->second, length};
  return {nullptr, 0};
}

bool TokenFinder::word_ends(std::string_view text) {
  const size_t size = last_length(text);
  return size > 0 && is_word(text::code_point(text.substr(text.size() - size), size));
}

bool TokenFinder::word_begins(std::string_view text) {
  const size_t size = text.empty() ? 0 : text::valid_char_length(text);
  return size > 0 && is_word(text::code_point(text, size));
}

size_t TokenFinder::spaces_at_end(std::string_view text) {
  size_t count = 0;
  while (const size_t size = last_length(text)) {
    if (!is_space(text::code_point(text.substr(text.size() - size), size))) break;
    text.remove_suffix(size);
    count += size;
  }
  return count;
}

size_t TokenFinder::spaces_at_begin(std::string_view text) {
  size_t count = 0;
  while (count < text.size()) {
    const size_t size = text::valid_char_length(text.substr(count));
    if (size == 0 || !is_space(text::code_point(text.substr(count), size))) break;
    count += size;
  }
  return count;
}

}  // namespace sala::tokenizer
