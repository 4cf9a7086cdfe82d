#include "sim/text/json_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/text/printable.h"
#include "sim/text/utf8.h"

namespace sala::text {
namespace {

void read_document(nlohmann::json value, const std::function<void(int64_t, JsonRow)>& row) {
  if (!value.is_array()) return row(1, {"the file", std::move(value)});
  for (size_t i = 0; i < value.size(); ++i) row(static_cast<int64_t>(i) + 1, {fmt::format("[{}]", i), std::move(value[i])});
}

}  // namespace

void read_json_rows(std::string_view text, const std::function<void(int64_t, JsonRow)>& row,
                    const std::function<void(int64_t, std::string_view, const JsonProblem&)>& broken) {
  text = without_byte_order_mark(text);
  const size_t last = text.find_last_not_of(kWhiteSpace);
  bool first = true;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (is_blank(line)) continue;
    nlohmann::json value;
    const auto problem = read_json(line, value);
    if (first && !problem && end > last) return read_document(std::move(value), row);  // the only line
    if (nlohmann::json whole; first && problem && end <= last && !read_json(text, whole))
      return read_document(std::move(whole), row);
    first = false;
    if (problem)
      broken(number, line, *problem);
    else
      row(number, {fmt::format("line {}", number), std::move(value)});
  }
}

}  // namespace sala::text
