// The tasks by name: benchmark order. A new task is one file and one line here.
#include <fmt/format.h>

#include <algorithm>

#include "sala/core/error.h"
#include "sala/tasks/task.h"
#include "tasks/ruler/niah.h"

namespace sala::tasks {
namespace {

std::vector<TaskInfo> make_registry() {
  std::vector<TaskInfo> infos;
  for (const Task* task : niah_tasks()) infos.push_back({task, false, task->name(), task->group(), task->description()});
  const auto planned = [&](std::string_view name, std::string_view group, std::string_view description) {
    infos.push_back({nullptr, true, name, group, description});
  };
  planned("vt", "ruler", "variable tracking");
  planned("cwe", "ruler", "common words extraction");
  planned("fwe", "ruler", "frequent words extraction");
  planned("qa_1", "ruler", "single-hop questions");
  planned("qa_2", "ruler", "two-hop questions");
  planned("nolima", "nolima", "needles without literal match");
  planned("mrcr_2", "mrcr", "multi-round co-reference, 2 needles");
  planned("mrcr_4", "mrcr", "multi-round co-reference, 4 needles");
  planned("mrcr_8", "mrcr", "multi-round co-reference, 8 needles");
  return infos;
}

int64_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<int64_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int64_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int64_t diagonal = row[0];
    row[0] = static_cast<int64_t>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::vector<std::string> near_names(const std::string& word) {
  std::vector<std::pair<int64_t, std::string>> ranked = {{edit_distance(word, "niah"), "niah"}};
  for (const TaskInfo& info : all_tasks()) {
    ranked.emplace_back(edit_distance(word, info.name), info.name);
    ranked.emplace_back(edit_distance(word, info.group), info.group);
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.erase(std::unique(ranked.begin(), ranked.end()), ranked.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(3, ranked.size()); ++i) names.push_back(ranked[i].second);
  return names;
}

}  // namespace

const std::vector<TaskInfo>& all_tasks() {
  static const std::vector<TaskInfo> registry = make_registry();
  return registry;
}

std::vector<TaskInfo> resolve_tasks(const std::string& list) {
  std::vector<TaskInfo> chosen;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    begin = end + 1;
    bool found = false;
    for (const TaskInfo& info : all_tasks()) {
      const bool wanted = info.name == word || info.group == word || (word == "niah" && info.name.starts_with("niah_"));
      if (!wanted) continue;
      found = true;
      if (std::none_of(chosen.begin(), chosen.end(), [&](const TaskInfo& c) { return c.name == info.name; })) chosen.push_back(info);
    }
    if (!found)
      throw Error(ErrorCode::kUsage, "no task or group '{}'; near it: {}; `sala_eval list tasks` shows all", word, fmt::join(near_names(word), ", "));
  }
  return chosen;
}

Sample regenerate(const std::string& sample_id, const Tokenizer& tokenizer) {
  const auto fail = [&] { return Error(ErrorCode::kUsage, "'{}' is no sample id; one looks like ruler/niah_single_1@131072#37!42", sample_id); };
  const size_t slash = sample_id.find('/'), at = sample_id.find('@'), hash = sample_id.find('#'), bang = sample_id.find('!');
  if (slash == std::string::npos || at == std::string::npos || hash == std::string::npos || bang == std::string::npos ||
      !(slash < at && at < hash && hash < bang))
    throw fail();
  SampleRequest request;
  try {
    request.length = std::stoll(sample_id.substr(at + 1, hash - at - 1));
    request.index = std::stoll(sample_id.substr(hash + 1, bang - hash - 1));
    request.seed = std::stoull(sample_id.substr(bang + 1));
  } catch (const std::exception&) {
    throw fail();
  }
  for (const TaskInfo& info : resolve_tasks(sample_id.substr(slash + 1, at - slash - 1)))
    if (info.task != nullptr) return info.task->make_sample(request, tokenizer);
  throw Error(ErrorCode::kUnsupported, "task of '{}' is planned but not built yet", sample_id);
}

}  // namespace sala::tasks
