// Text of strangers: whether there is any, and made safe for a terminal and a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sala::text {

constexpr std::string_view kWhiteSpace = " \t\r\n\f\v";
inline bool is_blank(std::string_view text) { return text.find_first_not_of(kWhiteSpace) == std::string_view::npos; }

// One line of valid UTF-8 of at most `most` bytes, "..." at its end when it was longer. Control characters, which could move
// the cursor or write the terminal's title, and those that turn the direction of writing, become '?'; line feeds become
// spaces.
std::string printable(std::string_view text, std::size_t most);

}  // namespace sala::text
