// JSON from files that nobody vouches for. Internal: no installed header shows JSON.
#pragma once

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
  std::string what;  // one line, at most some hundred bytes: "not valid JSON (...)", "JSON is nested deeper than 32 levels"
};

// Parses `text` into `value` (nlohmann::json, or nlohmann::ordered_json, which keeps the order of keys); what is wrong with
// it, or nothing. Time and memory grow with the text alone, however many keys an object has.
template <class Json>
std::optional<JsonProblem> read_json(std::string_view text, Json& value);
extern template std::optional<JsonProblem> read_json(std::string_view, nlohmann::json&);
extern template std::optional<JsonProblem> read_json(std::string_view, nlohmann::ordered_json&);

// Throws Error{kFormat} that names `source`.
nlohmann::ordered_json parse_json(std::string_view text, const std::string& source);

}  // namespace sala::text
