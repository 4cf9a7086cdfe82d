#include "sim/text/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::text {
namespace {

// The value of a new key. ordered_json looks for the key in the whole object first, which takes the square of the number of
// keys; Builder knows already that it is new.
nlohmann::ordered_json& add_member(nlohmann::ordered_json& object, std::string& key) {
  using Members = std::vector<std::pair<const std::string, nlohmann::ordered_json>>;
  auto& members = static_cast<Members&>(object.get_ref<nlohmann::ordered_json::object_t&>());
  return members.emplace_back(std::move(key), nullptr).second;
}
nlohmann::json& add_member(nlohmann::json& object, std::string& key) { return object[std::move(key)]; }

// Builds the document from the parser's events, and stops at the first that is not allowed.
template <class Json>
class Builder {
 public:
  explicit Builder(Json& root) : root_(root) {}
  JsonProblem problem;

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(int64_t value) { return add(value); }
  bool number_unsigned(uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(typename Json::binary_t&) { return false; }  // of no JSON text
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (!open_.back().keys.insert(name).second)
      return refuse(fmt::format("key '{}' appears twice in one object", printable(name, 60)));
    member_ = &add_member(*open_.back().value, name);
    return true;
  }
  bool parse_error(size_t byte, const std::string&, const nlohmann::detail::exception&) {
    problem = {true, byte > 0 ? byte - 1 : 0, ""};
    return false;
  }

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys;
  };
  bool refuse(std::string what) {
    problem = {false, 0, std::move(what)};
    return false;
  }
  template <class Value>
  Json* place(Value&& value) {
    if (open_.empty()) return &(root_ = std::forward<Value>(value));
    Json& parent = *open_.back().value;
    if (parent.is_object()) return &(*member_ = std::forward<Value>(value));
    return &parent.emplace_back(std::forward<Value>(value));
  }
  template <class Value>
  bool add(Value&& value) {
    place(std::forward<Value>(value));
    return true;
  }
  bool open(Json empty) {
    if (open_.size() == kMostNesting) return refuse(fmt::format("JSON is nested deeper than {} levels", kMostNesting));
    open_.push_back({place(std::move(empty)), {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  Json* member_ = nullptr;  // of the innermost object, for the value that comes next
  std::vector<Open> open_;  // objects and lists from the outermost in
};

}  // namespace

template <class Json>
std::optional<JsonProblem> read_json(std::string_view text, Json& value) {
  Builder<Json> builder(value);
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  value = nullptr;
  JsonProblem& problem = builder.problem;
  if (problem.syntax) {
    const std::string_view before = text.substr(0, problem.byte);
    const size_t line_begin = before.rfind('\n') + 1;  // 0 for the first line
    problem.what = fmt::format("not valid JSON at line {}, byte {}", 1 + std::count(before.begin(), before.end(), '\n'),
                               before.size() - line_begin + 1);
  }
  return problem;
}
template std::optional<JsonProblem> read_json(std::string_view, nlohmann::json&);
template std::optional<JsonProblem> read_json(std::string_view, nlohmann::ordered_json&);

std::string why_no_json_lines(std::string_view first_line) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = first_line.find_first_not_of(kBlank), end = first_line.find_last_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  const std::string_view line = first_line.substr(begin, end + 1 - begin);
  if (line.front() == '[') return "a JSON array, not JSON lines; `jq -c '.[]' FILE` writes its elements so";
  if (line.front() != '{') return "";
  nlohmann::json value;
  const auto problem = read_json(line, value);
  if (!problem || !problem->syntax) return "";
  if (line == "{" || (line.ends_with(',') && !line.ends_with("},")))
    return "JSON over several lines, not JSON lines; `jq -c . FILE` writes it so";
  if (line.ends_with("},")) return "lines that end in a comma, as in a JSON array; JSON lines end without";
  return "";
}

std::string write_json(const nlohmann::json& value, int indent, bool ascii) {
  return value.dump(indent, ' ', ascii, nlohmann::json::error_handler_t::replace);
}

std::string write_json(const nlohmann::ordered_json& value, int indent, bool ascii) {
  return value.dump(indent, ' ', ascii, nlohmann::ordered_json::error_handler_t::replace);
}

nlohmann::ordered_json parse_json(std::string_view text, const std::string& source) {
  nlohmann::ordered_json value;
  if (const auto problem = read_json(text, value)) throw Error(ErrorCode::kFormat, "{}: {}", source, problem->what);
  return value;
}

}  // namespace sala::text
