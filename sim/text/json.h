// JSON from files that nobody vouches for, and JSON as text. Internal: no installed header shows JSON. The library's parser
// and writer are compiled here and nowhere else: they take a compiler seconds in every file that calls them.
#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace sala::text {

inline constexpr int kMostNesting = 32;  // the deepest format here, SQuAD, has 8

// What is wrong with a text: bad syntax, nesting deeper than kMostNesting, or a key used twice in one object.
struct JsonProblem {
  bool syntax = false;
  size_t byte = 0;   // where
  std::string what;  // one line, at most some hundred bytes: "not valid JSON at line 2, byte 7", "JSON is nested deeper than
                     // 32 levels"
};

// Parses `text` into `value` (nlohmann::json, or nlohmann::ordered_json, which keeps the order of keys); what is wrong with
// it, or nothing. Time and memory grow with the text alone, however many keys an object has.
template <class Json>
std::optional<JsonProblem> read_json(std::string_view text, Json& value);
extern template std::optional<JsonProblem> read_json(std::string_view, nlohmann::json&);
extern template std::optional<JsonProblem> read_json(std::string_view, nlohmann::ordered_json&);

// A whole number: an integer, or a float that is one (3.0, as pandas writes whole columns); nothing for anything else.
template <class Json>
std::optional<int64_t> whole_number(const Json& value) {
  constexpr double kExact = 9007199254740992;  // 2^53: whole floats beyond may stand for other numbers
  if (value.is_number_float()) {
    const double number = value.template get<double>();
    if (!(number >= -kExact && number <= kExact) || number != std::trunc(number)) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.template get<uint64_t>() > INT64_MAX))
    return std::nullopt;
  return value.template get<int64_t>();
}

// Why a text whose first line that is not blank this is holds no JSON lines: "a JSON array, not JSON lines; ...". Empty when
// it may hold them.
std::string why_no_json_lines(std::string_view first_line);

// `value` as text, on one line or with each level indented by `indent` spaces. What is no UTF-8 is replaced by U+FFFD.
// `ascii`: other characters are written as \u and four digits.
std::string write_json(const nlohmann::json& value, int indent = -1, bool ascii = false);
std::string write_json(const nlohmann::ordered_json& value, int indent = -1, bool ascii = false);

// Throws Error{kFormat} that names `source`.
nlohmann::ordered_json parse_json(std::string_view text, const std::string& source);

}  // namespace sala::text
