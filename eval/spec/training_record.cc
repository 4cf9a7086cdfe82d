#include "eval/spec/training_record.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "eval/util/json_fields.h"
#include "sala/core/error.h"
#include "sala/tasks/task.h"
#include "sim/text/files.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

using namespace fields;

constexpr int64_t kMostRecordBytes = 64 << 20, kMostTokens = int64_t{1} << 50;

// "niah_single_1_8192" -> task and 8192.
std::pair<std::string, int64_t> split_key(const std::string& key) {
  const std::size_t at = key.rfind('_');
  int64_t length = 0;
  if (at == std::string::npos) return {key, 0};
  std::from_chars(key.data() + at + 1, key.data() + key.size(), length);
  return {key.substr(0, at), length};
}

TrainingRecord parse_training(const Json& json) {
  TrainingRecord record;
  for (const Json* stage = &json; stage->is_object();) {
    const int64_t tokens = integer(*stage, "tokens");
    if (tokens > kMostTokens)
      throw Error(ErrorCode::kFormat, "field 'tokens' is {}, expected at most {}", tokens, kMostTokens);
    record.tokens += tokens;
    if (!stage->contains("before")) break;
    stage = &(*stage)["before"];
  }
  if (!json.contains("validation")) return record;
  const Json& validation = field(json, "validation");
  if (!validation.is_object()) throw Error(ErrorCode::kFormat, "field 'validation' is no object");
  for (const auto& [key, value] : validation.items()) record.length = std::max(record.length, split_key(key).second);
  std::map<std::string, std::pair<double, int64_t>> sums;
  for (const auto& [key, value] : validation.items()) {
    const auto [task, length] = split_key(key);
    if (length != record.length) continue;
    const tasks::Task* known = tasks::find_task(task);
    if (known == nullptr) continue;  // of a mix with tasks that this program does not have
    const tasks::TrainingFigure& shown = known->traits().training;
    auto& [sum, count] = sums[shown.name];
    sum += number(value, shown.figure.c_str());
    ++count;
  }
  for (const std::string& name : training_scores())
    if (const auto found = sums.find(name); found != sums.end())
      record.scores.emplace_back(name, found->second.first / static_cast<double>(found->second.second));
  return record;
}

}  // namespace

std::vector<std::string> training_scores() {
  std::vector<std::string> names;
  for (const tasks::Task* task : tasks::all_tasks()) {
    std::string name = task->traits().training.name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

std::optional<TrainingRecord> read_training(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "training.json").string();
  std::error_code ignored;
  if (directory.empty() || !std::filesystem::exists(path, ignored)) return std::nullopt;
  try {
    const Json json = text::parse_json(text::read_file(path, kMostRecordBytes), path);
    if (!json.is_object()) throw Error(ErrorCode::kFormat, "it holds no JSON object");
    return parse_training(json);
  } catch (const Error& problem) {
    TrainingRecord broken;
    broken.problem = problem.what();
    return broken;
  }
}

}  // namespace sala::eval
