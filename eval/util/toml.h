// TOML files that nobody vouches for.
#pragma once

#include <toml++/toml.h>

#include <string>

namespace sala::eval {

// Parses the file. Throws Error{kIo} when it cannot be read, Error{kFormat} with the line when it is no TOML, is longer than
// 1 MiB, or has a key of more than 16 parts.
toml::table read_toml(const std::string& path);
// A value as it would stand on the command line: text, number, true or false. `where` names it. Throws Error{kFormat}.
std::string toml_text(const toml::node& value, const std::string& where);
// The values of a list with commas between.
std::string toml_list_text(const toml::array& list, const std::string& where);

}  // namespace sala::eval
