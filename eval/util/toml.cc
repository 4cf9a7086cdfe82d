#include "eval/util/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "eval/util/files.h"
#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr int64_t kMostTomlBytes = 1 << 20;
constexpr int kMostParts = 16;

// The first place behind the text in quotes that begins at `begin`; an end that is missing is the parser's to tell.
std::size_t behind_quotes(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const bool many_lines = text.substr(begin, 3) == std::string(3, quote);
  const std::string_view end = text.substr(begin, many_lines ? 3 : 1);
  for (std::size_t at = begin + end.size(); at < text.size(); ++at) {
    if (text.substr(at, end.size()) == end) return at + end.size();
    if (text[at] == '\n' && !many_lines) return at;
    if (text[at] == '\\' && quote == '"') ++at;
  }
  return text.size();
}

// toml++ limits how deep values nest, but a dotted key nests as deep as it has parts.
bool has_endless_key(std::string_view text) {
  int dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = behind_quotes(text, at);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '.' && ++dots >= kMostParts) return true;
    if (c == '\n' || c == '=' || c == ',') dots = 0;
    ++at;
  }
  return false;
}

}  // namespace

toml::table read_toml(const std::string& path) {
  const std::string text = read_file(path, kMostTomlBytes);
  if (has_endless_key(text)) throw Error(ErrorCode::kFormat, "{}: a key has more than {} parts", path, kMostParts);
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& problem) {
    const std::string reason(problem.description());  // names a macro where values nest too deep
    throw Error(ErrorCode::kFormat, "{} line {}: this is no TOML ({})", path, problem.source().begin.line,
                reason.find("TOML_") == std::string::npos ? text::printable(reason, 200) : "values are nested too deep");
  }
}

std::string toml_text(const toml::node& value, const std::string& where) {
  if (const auto text = value.value_exact<std::string>()) return *text;
  if (const auto number = value.value_exact<int64_t>()) return std::to_string(*number);
  if (const auto number = value.value_exact<double>()) return fmt::format("{}", *number);
  if (const auto yes = value.value_exact<bool>()) return *yes ? "true" : "false";
  throw Error(ErrorCode::kFormat, "{} is neither text, a number nor true or false", where);
}

std::string toml_list_text(const toml::array& list, const std::string& where) {
  std::string text;
  for (const toml::node& item : list) text += (text.empty() ? "" : ",") + toml_text(item, where);
  return text;
}

}  // namespace sala::eval
