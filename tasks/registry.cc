// The tasks by name: benchmark order. A new task is one file and one line here.
#include <fmt/format.h>

#include <algorithm>

#include "sala/core/error.h"
#include "sala/tasks/task.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/nolima/nolima.h"
#include "tasks/ruler/cwe.h"
#include "tasks/ruler/fwe.h"
#include "tasks/ruler/niah.h"
#include "tasks/ruler/qa.h"
#include "tasks/ruler/vt.h"

namespace sala::tasks {
namespace {

std::vector<TaskInfo> make_registry() {
  std::vector<TaskInfo> infos;
  for (const Task* task : niah_tasks()) infos.push_back({task, task->name(), task->group(), task->description()});
  for (const Task* task : {vt_task(), cwe_task(), fwe_task(), qa_1_task(), qa_2_task()})
    infos.push_back({task, task->name(), task->group(), task->description()});
  infos.push_back({&nolima_task(), nolima_task().name(), nolima_task().group(), nolima_task().description()});
  for (const Task* task : mrcr_tasks()) infos.push_back({task, task->name(), task->group(), task->description()});
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
  std::vector<std::pair<int64_t, std::string>> ranked;
  for (const TaskInfo& info : all_tasks()) {
    ranked.emplace_back(edit_distance(word, info.name), info.name);
    ranked.emplace_back(edit_distance(word, info.group), info.group);
    if (const std::string subgroup(info.task->subgroup()); !subgroup.empty())
      ranked.emplace_back(edit_distance(word, subgroup), subgroup);
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.erase(std::unique(ranked.begin(), ranked.end()), ranked.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(3, ranked.size()); ++i) names.push_back(ranked[i].second);
  return names;
}

}  // namespace

std::vector<Message> messages_of(std::string_view text, const std::vector<Turn>& turns) {
  std::vector<Message> messages;
  messages.reserve(turns.size());
  for (const Turn& turn : turns)
    messages.push_back(
        {turn.role, text.substr(static_cast<size_t>(turn.begin), static_cast<size_t>(turn.end - turn.begin))});
  return messages;
}

const std::vector<TaskInfo>& all_tasks() {
  static const std::vector<TaskInfo> registry = make_registry();
  return registry;
}

const Task* find_task(std::string_view name, const std::vector<TaskInfo>& user) {
  for (const std::vector<TaskInfo>* infos : {&user, &all_tasks()})
    for (const TaskInfo& info : *infos)
      if (info.name == name) return info.task;
  return nullptr;
}

std::vector<TaskInfo> resolve_tasks(const std::string& list, const std::vector<TaskInfo>& user) {
  std::vector<TaskInfo> chosen;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    begin = end + 1;
    bool found = false;
    const auto take = [&](const TaskInfo& info) {
      found = true;
      if (std::none_of(chosen.begin(), chosen.end(), [&](const TaskInfo& c) { return c.name == info.name; }))
        chosen.push_back(info);
    };
    for (const TaskInfo& info : user)  // groups of the user's tasks: `nolima_user`, `mrcr_official`
      if (info.name == word || info.group == word || info.group.substr(0, info.group.find('_')) == word) take(info);
    if (!found)
      for (const TaskInfo& info : all_tasks())
        if (info.name == word || info.group == word || (!word.empty() && info.task->subgroup() == word)) take(info);
    if (!found)
      throw Error(ErrorCode::kUsage, "no task or group '{}'; near it: {}; `sala_eval list tasks` shows all", word,
                  fmt::join(near_names(word), ", "));
  }
  return chosen;
}

}  // namespace sala::tasks
