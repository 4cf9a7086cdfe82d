#include "eval/run/control_group.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

namespace sala::eval {
namespace {

// Files of a group, by version.
struct Names {
  std::vector<const char*> limits;
  const char *used, *droppable;
};
const Names kVersion1 = {{"memory.limit_in_bytes"}, "memory.usage_in_bytes", "total_inactive_file"};
const Names kVersion2 = {{"memory.max", "memory.high"}, "memory.current", "inactive_file"};

// Where a hierarchy of groups is mounted, and which of its groups is seen there as the topmost.
struct Mount {
  std::string folder, top;
};

// A comma list has the word.
bool lists(const std::string& list, std::string_view word) {
  std::istringstream words(list);
  for (std::string each; std::getline(words, each, ',');)
    if (each == word) return true;
  return false;
}

// `id parent device top folder options... - type source options`
std::optional<Mount> find_mount(const std::string& root, bool version2) {
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::string id, parent, device, type, source, options;
    Mount mount;
    std::istringstream(line) >> id >> parent >> device >> mount.top >> mount.folder;
    const std::size_t end = line.find(" - ");
    if (end == std::string::npos) continue;
    std::istringstream(line.substr(end + 3)) >> type >> source >> options;
    if (version2 ? type == "cgroup2" : type == "cgroup" && lists(options, "memory")) return mount;
  }
  return std::nullopt;
}

// The group of this process: a line `number:controllers:path`, version 2 with number 0 and without controllers.
std::optional<std::string> own_group(const std::string& root, bool version2) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version2 ? line.starts_with("0::") : lists(controllers, "memory")) return line.substr(second + 1);
  }
  return std::nullopt;
}

std::optional<int64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // no such file, or `max`
}

// The value behind a name in memory.stat.
std::optional<int64_t> statistic(const std::string& folder, std::string_view name) {
  std::ifstream file(folder + "/memory.stat");
  std::string each;
  for (int64_t value = 0; file >> each >> value;)
    if (each == name) return value;
  return std::nullopt;
}

// What one group leaves.
int64_t left_in(const std::string& folder, const Names& names) {
  std::optional<int64_t> least = statistic(folder, "hierarchical_memory_limit");  // of groups that are not seen from here
  for (const char* name : names.limits)
    if (const auto limit = number_in(folder + "/" + name)) least = std::min(least.value_or(*limit), *limit);
  if (!least) return std::numeric_limits<int64_t>::max();
  const int64_t used = number_in(folder + "/" + names.used).value_or(0);
  const int64_t droppable = statistic(folder, names.droppable).value_or(0);
  return std::max<int64_t>(0, *least - std::max<int64_t>(0, used - droppable));
}

int64_t left_in_hierarchy(const std::string& root, bool version2) {
  int64_t least = std::numeric_limits<int64_t>::max();
  const std::optional<Mount> mount = find_mount(root, version2);
  const std::optional<std::string> group = own_group(root, version2);
  if (!mount || !group) return least;
  std::string below = *group;  // the path from the topmost group that is seen
  if (mount->top != "/") below = below.starts_with(mount->top + "/") ? below.substr(mount->top.size()) : "";
  while (!below.empty() && below.back() == '/') below.pop_back();
  for (;; below.resize(below.rfind('/'))) {
    least = std::min(least, left_in(root + mount->folder + below, version2 ? kVersion2 : kVersion1));
    if (below.empty()) return least;
  }
}

}  // namespace

int64_t control_group_memory(const std::string& root) {
  return std::min(left_in_hierarchy(root, false), left_in_hierarchy(root, true));
}

}  // namespace sala::eval
