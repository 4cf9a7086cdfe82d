#include "eval/util/toml.h"

#include <algorithm>
#include <string_view>

#include "eval/util/files.h"
#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr int64_t kMostTomlBytes = 1 << 20;
constexpr int kMostParts = 16;

// toml++ limits how deep values nest, but a dotted key nests as deep as it has parts. Dots inside quotes do not count, which
// only lets keys through that toml++ limits itself.
bool has_endless_key(std::string_view text) {
  int dots = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == '\n' || (c == quote && c != '#')) quote = 0;
    } else if (c == '"' || c == '\'' || c == '#') {
      quote = c;
    } else if (c == '.') {
      if (++dots >= kMostParts) return true;
    } else if (c == '\n' || c == '=' || c == ',') {
      dots = 0;
    }
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

}  // namespace sala::eval
