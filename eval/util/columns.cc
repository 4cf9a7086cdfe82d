#include "eval/util/columns.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

#include "sim/text/utf8.h"

namespace sala::eval {
namespace {

// Bytes and columns of the character at the start of `text`; an invalid byte is shown as one character.
struct Extent {
  std::size_t bytes, columns;
};
Extent first_extent(std::string_view text) {
  const std::size_t bytes = text::valid_char_length(text);
  if (bytes == 0) return {1, 1};
  return {bytes, static_cast<std::size_t>(utf8proc_charwidth(static_cast<utf8proc_int32_t>(text::code_point(text, bytes))))};
}

}  // namespace

std::size_t text_columns(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Extent first = first_extent(text);
    columns += first.columns;
    text.remove_prefix(first.bytes);
  }
  return columns;
}

std::string first_columns(std::string_view text, std::size_t columns) {
  std::size_t at = 0, used = 0;
  while (at < text.size()) {
    const Extent next = first_extent(text.substr(at));
    if (used + next.columns > columns) break;
    used += next.columns;
    at += next.bytes;
  }
  return std::string(text.substr(0, at));
}

std::string counted(int64_t count, const char* one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

std::string with_commas(int64_t value) {
  std::string text = std::to_string(value);
  const int64_t first = value < 0 ? 1 : 0;
  for (auto at = static_cast<int64_t>(text.size()) - 3; at > first; at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string plain_table(const std::vector<Row>& rows, std::size_t left) {
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_columns(row[i]));
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - text_columns(row[i]), ' ');
      line += (i > 0 ? "  " : "") + (i < left ? row[i] + padding : padding + row[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string markdown_table(const std::vector<Row>& rows) {
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += "|";
    for (const std::string& cell : rows[i]) text += fmt::format(" {} |", cell);
    text += "\n";
    if (i > 0) continue;
    text += "|";
    for (std::size_t j = 0; j < rows[0].size(); ++j) text += j == 0 ? " --- |" : " ---: |";
    text += "\n";
  }
  return text;
}

}  // namespace sala::eval
