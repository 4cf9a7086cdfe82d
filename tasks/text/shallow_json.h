// JSON of the user's files. A value nested a million deep parses and then overflows the stack where it is copied.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "sala/core/error.h"

namespace sala::tasks {

inline constexpr int kMostNesting = 32;  // the deepest file format here, SQuAD, has 8

// As Json::parse; a discarded value for what is no JSON when `throwing` is false. Throws Error{kFormat} for deeper nesting.
template <class Json>
Json parse_shallow(std::string_view text, bool throwing = false) {
  const auto shallow = [](int depth, typename Json::parse_event_t, Json&) {
    if (depth > kMostNesting) throw Error(ErrorCode::kFormat, "JSON is nested deeper than {} levels", kMostNesting);
    return true;
  };
  return Json::parse(text.begin(), text.end(), shallow, throwing);
}

}  // namespace sala::tasks
