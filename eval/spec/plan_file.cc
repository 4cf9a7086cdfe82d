#include "eval/spec/plan_file.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "eval/spec/plan.h"
#include "eval/spec/record.h"
#include "eval/util/files.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

std::string plan_check(const SavedPlan& saved) {
  return hash_hex(stable_hash(saved.started + text::write_json(saved.plan)));
}

// The dotted path of the first difference, or "".
std::string first_difference(const Json& a, const Json& b, const std::string& path) {
  if (a == b) return "";
  if (a.is_object() && b.is_object()) {
    for (const auto& [name, value] : a.items()) {
      const std::string inner = path.empty() ? name : path + "." + name;
      if (!b.contains(name)) return inner;
      if (const std::string found = first_difference(value, b[name], inner); !found.empty()) return found;
    }
    for (const auto& [name, value] : b.items())
      if (!a.contains(name)) return path.empty() ? name : path + "." + name;
  }
  return path;
}

const Json* at_path(const Json& root, const std::string& path) {
  const Json* node = &root;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    if (!node->is_object() || !node->contains(name)) return nullptr;
    node = &(*node)[name];
    begin = end + 1;
  }
  return node;
}

std::vector<int64_t> indexes_of(const Json& list) { return parse_indexes(list.get<std::string>()); }

}  // namespace

void write_plan_file(const std::string& path, const SavedPlan& saved) {
  const Json json = {{"started", saved.started}, {"plan", saved.plan}, {"check", plan_check(saved)}};
  write_atomically(path, text::write_json(json, 1) + "\n");
}

SavedPlan read_plan_file(const std::string& path) {
  Json json;
  const auto problem = text::read_json(read_file(path), json);
  if (problem || !json.is_object() || !json.contains("plan") || !json.contains("started") || !json["started"].is_string())
    throw Error(ErrorCode::kFormat, "{} is damaged: it is not the plan of a run", path);
  const SavedPlan saved{json["started"].get<std::string>(), json["plan"]};
  const std::string schema = saved.plan.is_object() ? text::write_json(saved.plan.value("schema", Json())) : "absent";
  if (schema != text::write_json(Json(kRunSchema)))
    throw Error(ErrorCode::kUnsupported, "{}: the schema is {}, this build reads \"{}\"", path, text::printable(schema, 80),
                kRunSchema);
  if (json.value("check", Json()) != Json(plan_check(saved)))
    throw Error(ErrorCode::kFormat, "{} is damaged: its checksum does not fit", path);
  try {
    planned_samples(saved.plan);
  } catch (const std::exception&) {
    throw Error(ErrorCode::kFormat, "{} is damaged: its cells are no lists of samples", path);
  }
  return saved;
}

void check_goes_on(const Json& wanted, const Json& saved, const std::string& directory) {
  // What the wanted plan adds is taken off both; what it lacks stays.
  Json now = wanted, before = saved;
  for (const auto& [cell, indexes] : wanted.at("cells").items()) {
    const Json& had = saved.at("cells");
    const std::vector<int64_t> more = indexes_of(indexes);
    const std::vector<int64_t> there = had.contains(cell) ? indexes_of(had[cell]) : std::vector<int64_t>{};
    if (!std::includes(more.begin(), more.end(), there.begin(), there.end())) continue;
    now["cells"].erase(cell);
    before["cells"].erase(cell);
  }
  if (now.at("numerics").get<std::string>().starts_with(before.value("numerics", "") + ", then "))  // as was asked for
    now["numerics"] = before["numerics"];
  const std::string path = first_difference(now, before, "");
  if (path.empty()) return;
  const auto shown = [](const Json* value) {
    return value != nullptr ? text::printable(text::write_json(*value), 80) : "absent";
  };
  throw Error(ErrorCode::kConfig,
              "--resume: '{}' is {} now and was {} when {} was begun; ask for {}, or choose another --out", path,
              shown(at_path(wanted, path)), shown(at_path(saved, path)), directory,
              path == "numerics"           ? "the same, give --other-numerics to mix the two"
              : path.starts_with("cells.") ? "all samples that it has"
                                           : "the same");
}

int64_t planned_samples(const Json& plan) {
  int64_t count = 0;
  for (const auto& [cell, indexes] : plan.at("cells").get_ref<const Json::object_t&>())
    count += static_cast<int64_t>(indexes_of(indexes).size());
  return count;
}

}  // namespace sala::eval
