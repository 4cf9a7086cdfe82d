#include "sim/model/json_read.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <vector>

namespace sala {
namespace {

constexpr int kMaxDepth = 32;

}  // namespace

nlohmann::ordered_json parse_json(std::string_view text, const std::string& source) {
  using Json = nlohmann::ordered_json;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMaxDepth) throw Error(ErrorCode::kFormat, "{}: JSON is nested deeper than {} levels", source, kMaxDepth);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get_ref<const std::string&>()).second)
      throw Error(ErrorCode::kFormat, "{}: key '{}' appears twice in one object", source,
                  value.get_ref<const std::string&>());
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& problem) {
    std::string what = problem.what();
    if (const auto bracket = what.find("] "); bracket != std::string::npos) what.erase(0, bracket + 2);
    for (char& c : what)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    throw Error(ErrorCode::kFormat, "{}: not valid JSON ({})", source, what.substr(0, 200));
  }
}

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Error(ErrorCode::kIo, "{}: cannot be opened: {}", path, std::strerror(errno));
  const auto size = static_cast<int64_t>(file.tellg());
  if (size < 0) throw Error(ErrorCode::kIo, "{}: cannot be read; is it a directory?", path);
  if (size > max_bytes) throw Error(ErrorCode::kFormat, "{}: {} bytes long, at most {} are expected", path, size, max_bytes);
  std::string text(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(text.data(), size);
  if (!file) throw Error(ErrorCode::kIo, "{}: cannot be read: {}", path, std::strerror(errno));
  return text;
}

}  // namespace sala
