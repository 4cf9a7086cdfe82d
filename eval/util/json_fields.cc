#include "eval/util/json_fields.h"

#include <optional>
#include <vector>

#include "sala/core/error.h"
#include "sim/text/json.h"

namespace sala::eval::fields {

std::string shown(const Json& value) {
  if (value.is_structured()) return value.type_name();
  const std::string text = text::write_json(value, -1, true);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

const Json& field(const Json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) throw Error(ErrorCode::kFormat, "field '{}' is missing", name);
  return object[name];
}

int64_t integer(const Json& object, const char* name, int64_t smallest) {
  const Json& value = field(object, name);
  const std::optional<int64_t> whole = text::whole_number(value);
  if (!whole || *whole < smallest)
    throw Error(ErrorCode::kFormat, "field '{}' is {}, expected an integer from {} up", name, shown(value), smallest);
  return *whole;
}

double number(const Json& object, const char* name) {
  const Json& value = field(object, name);
  if (!value.is_number()) throw Error(ErrorCode::kFormat, "field '{}' is {}, expected a number", name, shown(value));
  return value.get<double>();
}

std::string text(const Json& object, const char* name) {
  const Json& value = field(object, name);
  if (!value.is_string()) throw Error(ErrorCode::kFormat, "field '{}' is {}, expected text", name, shown(value));
  return value.get<std::string>();
}

const Json& list(const Json& object, const char* name) {
  const Json& value = field(object, name);
  if (!value.is_array()) throw Error(ErrorCode::kFormat, "field '{}' is no list", name);
  return value;
}

std::vector<std::string> texts(const Json& object, const char* name) {
  std::vector<std::string> all;
  for (const Json& value : list(object, name)) {
    if (!value.is_string()) throw Error(ErrorCode::kFormat, "field '{}' holds {}, expected text", name, shown(value));
    all.push_back(value.get<std::string>());
  }
  return all;
}

}  // namespace sala::eval::fields
