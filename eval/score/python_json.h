// JSON as Python's json module writes and reads it.
#pragma once

#include <cstdint>
#include <string>

namespace sala::eval {

struct StandardJson {
  std::string text;
  int64_t not_numbers = 0;  // NaN, Infinity and -Infinity outside texts: null here
  int64_t surrogates = 0;   // \ud800 to \udfff without its other half: \ufffd here
};
// The same line as standard JSON, as far as it is only Python's extensions that are not.
StandardJson standard_json(const std::string& line);

}  // namespace sala::eval
