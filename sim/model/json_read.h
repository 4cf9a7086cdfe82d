// JSON from files that nobody vouches for. Internal: no installed header shows JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sala/core/error.h"

namespace sala {

// Parses `text`, keeping the order of keys. Throws Error{kFormat} naming `source` for bad syntax, nesting deeper than 32 or
// a key used twice in one object.
nlohmann::ordered_json parse_json(std::string_view text, const std::string& source);

// Whole file as text. Throws Error{kIo}; Error{kFormat} above `max_bytes`.
std::string read_text_file(const std::string& path, int64_t max_bytes);

}  // namespace sala
