// Whitespace as Python's str sees it, over UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sala::tasks {

// Bytes of the whitespace code point at the start of `text` (str.isspace of Python 3.11), 0 when it is none.
size_t whitespace_length(std::string_view text);
// str.strip()
std::string_view strip_whitespace(std::string_view text);
// re.sub(r"\s+", " ", text)
std::string collapse_whitespace(std::string_view text);

}  // namespace sala::tasks
