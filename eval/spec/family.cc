#include "eval/spec/family.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "eval/util/toml.h"
#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

class Family {
 public:
  explicit Family(const std::string& path) : path_(path), file_(read_toml(path)) {
    members_ = file_["members"].as_table();
    if (members_ == nullptr) throw Error(ErrorCode::kConfig, "{}: there is no table 'members'", path_);
  }

  std::vector<ModelEntry> entries() const {
    std::vector<std::pair<toml::source_index, ModelEntry>> found;
    for (const auto& [key, node] : *members_) found.emplace_back(node.source().begin.line, entry(std::string(key.str())));
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<ModelEntry> entries;
    for (auto& [line, entry] : found) entries.push_back(std::move(entry));
    return entries;
  }

 private:
  [[noreturn]] void wrong(const std::string& name, const std::string& what) const {
    throw Error(ErrorCode::kConfig, "{}: member '{}' {}", path_, text::printable(name, 60), text::printable(what, 300));
  }

  // The field of the member, else that of its base.
  std::string text(const std::string& name, const char* field) const {
    std::string at = name;
    for (std::size_t steps = 0; steps <= members_->size(); ++steps) {
      const toml::table* member = (*members_)[at].as_table();
      if (member == nullptr) wrong(name, fmt::format("has the base '{}', which is no member", at));
      if (const auto value = (*member)[field].value<std::string>()) return *value;
      const auto base = (*member)["base"].value<std::string>();
      if (!base) wrong(name, fmt::format("has no '{}'", field));
      at = *base;
    }
    wrong(name, "is its own base");
  }

  ModelEntry entry(const std::string& name) const {
    ModelEntry made;
    made.name = name;
    made.planned = true;
    try {
      made.config.mixer_types = layer_map_from_string(text(name, "layers"));
      apply_position_policy(made.config, text(name, "pe"));
    } catch (const Error& problem) {
      if (std::string(problem.what()).find(path_) == 0) throw;
      wrong(name, fmt::format("is wrong: {}", problem.what()));
    }
    made.config.num_hidden_layers = static_cast<int64_t>(made.config.mixer_types.size());
    made.config.sala_lab.family = text(name, "family");
    return made;
  }

  std::string path_;
  toml::table file_;
  const toml::table* members_ = nullptr;
};

}  // namespace

std::string family_file() {
  const fs::path models = models_folder();
  std::vector<fs::path> places = {models / "family.toml"};
  if (models.filename() == "models") {
    places.push_back(models.parent_path() / "train" / "family.toml");  // sources
    places.push_back(models.parent_path() / "family.toml");            // installed
  }
  std::error_code ignored;
  for (const fs::path& place : places)
    if (fs::is_regular_file(place, ignored)) return place.string();
  return "";
}

std::vector<ModelEntry> planned_members(const std::string& path) { return Family(path).entries(); }

std::vector<ModelEntry> planned_members() {
  const std::string path = family_file();
  return path.empty() ? std::vector<ModelEntry>{} : planned_members(path);
}

std::string training_command(const std::vector<std::string>& names) {
  return fmt::format("train/train_members.py --members {} --recipe train/recipes/tasks.toml --data DATA --out RUNS",
                     fmt::join(names, ","));
}

}  // namespace sala::eval
