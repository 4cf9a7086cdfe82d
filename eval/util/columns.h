// Plain text columns for the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sala::eval {

using Row = std::vector<std::string>;  // the first row is the head

// Columns two spaces apart, the first `left` of them aligned left, the others right; no trailing spaces.
std::string plain_table(const std::vector<Row>& rows, std::size_t left = 1);
std::string markdown_table(const std::vector<Row>& rows);
// "1 sample", "2 samples".
std::string counted(int64_t count, const char* one);
// 1234567 -> "1,234,567"
std::string with_commas(int64_t value);

}  // namespace sala::eval
