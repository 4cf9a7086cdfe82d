// Plain text columns for the terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sala::eval {

using Row = std::vector<std::string>;  // the first row is the head

// Columns two spaces apart, the first `left` of them aligned left, the others right; no trailing spaces.
std::string plain_table(const std::vector<Row>& rows, std::size_t left = 1);
std::string markdown_table(const std::vector<Row>& rows);
// Columns that a text takes on a terminal: a wide character (Chinese, most emoji) takes two, a combining one none.
std::size_t text_columns(std::string_view text);
// As much of its beginning as fits.
std::string first_columns(std::string_view text, std::size_t columns);
// "1 sample", "2 samples".
std::string counted(int64_t count, const char* one);
// 1234567 -> "1,234,567"
std::string with_commas(int64_t value);

}  // namespace sala::eval
