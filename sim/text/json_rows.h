// JSON files of rows: one value a line, or one array of them.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sim/text/json.h"

namespace sala::text {

struct JsonRow {
  std::string where;  // for messages: "line 3", "[2]" or "the file"
  nlohmann::json value;
};

// Calls `row` with the values of a text, each as soon as it is read, and `broken` for a line that is no JSON. `number`
// counts lines, or elements of an array, from 1. A text that is JSON as a whole, but whose first line is none, is one
// document: its elements when it is an array, else the one value. Blank lines and a byte order mark are passed over.
void read_json_rows(std::string_view text, const std::function<void(int64_t number, JsonRow row)>& row,
                    const std::function<void(int64_t number, std::string_view line, const JsonProblem& problem)>& broken);

}  // namespace sala::text
