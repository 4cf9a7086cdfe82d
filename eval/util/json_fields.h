// Fields of a JSON object that a stranger may have written. All throw Error{kFormat} naming the field that is missing or
// wrong.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sala::eval::fields {

using Json = nlohmann::ordered_json;

// For messages; a hostile file may nest a million lists, so only scalars are printed, and those shortened.
std::string shown(const Json& value);

const Json& field(const Json& object, const char* name);
int64_t integer(const Json& object, const char* name, int64_t smallest = 0);
double number(const Json& object, const char* name);
std::string text(const Json& object, const char* name);
const Json& list(const Json& object, const char* name);
std::vector<std::string> texts(const Json& object, const char* name);  // a list of texts

}  // namespace sala::eval::fields
