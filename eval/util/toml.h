// TOML files that nobody vouches for.
#pragma once

#include <toml++/toml.h>

#include <string>

namespace sala::eval {

// Parses the file. Throws Error{kIo} when it cannot be read, Error{kFormat} with the line when it is no TOML, is longer than
// 1 MiB, or has a key of more than 16 parts.
toml::table read_toml(const std::string& path);

}  // namespace sala::eval
