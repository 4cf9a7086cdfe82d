// The tasks by name: benchmark order. A new task is one file and one line here, in Registry().
#include <fmt/format.h>

#include <algorithm>

#include "sala/core/error.h"
#include "sala/tasks/training.h"
#include "sala/tasks/user_files.h"
#include "sim/text/near.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/nolima/nolima.h"
#include "tasks/ruler/cwe.h"
#include "tasks/ruler/fwe.h"
#include "tasks/ruler/niah.h"
#include "tasks/ruler/qa.h"
#include "tasks/ruler/vt.h"

namespace sala::tasks {
namespace {

// Tasks and how each is taught, in the order of the table.
struct Registry {
  Registry();
  void add(std::unique_ptr<const Task> task, std::unique_ptr<const TrainingRows> rows = nullptr) {
    tasks.push_back(task.get());
    owned.push_back({std::move(task), std::move(rows)});
  }
  struct Entry {
    std::unique_ptr<const Task> task;
    std::unique_ptr<const TrainingRows> rows;  // null = TrainingRows as it stands
  };
  std::vector<Entry> owned;
  std::vector<const Task*> tasks;
  std::size_t built_in = 0;  // tasks, the first ones
};

Registry::Registry() {
  for (const NiahSpec& spec : niah_specs()) add(make_niah_task(spec), make_niah_rows(spec));
  add(make_vt_task(), make_vt_rows());
  add(make_cwe_task(), make_cwe_rows());
  add(make_fwe_task());
  for (const int hops : {1, 2}) add(make_qa_task(hops), make_qa_rows(hops));
  add(make_nolima_task(), make_nolima_rows());
  for (const int64_t needles : {2, 4, 8}) add(make_mrcr_task(needles), make_mrcr_rows(needles));
  built_in = tasks.size();
}

Registry& registry() {
  static Registry all;
  return all;
}

// "; near it: ..." with names and groups near to a word of a list.
std::string near_names(const std::string& word) {
  std::vector<std::string> names;
  for (const Task* task : all_tasks())
    for (const std::string& name : {task->name(), task->group(), task->traits().subgroup})
      if (!name.empty()) names.push_back(name);
  return text::near_it(word, std::move(names));
}

// What stands in sample ids, lists of tasks, paths of result files and JSON.
bool is_name(std::string_view word) {
  return !word.empty() && word[0] != '.' && word[0] != '-' && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

// Throws Error{kUsage} unless a task of these traits can join the registry.
void check_new(const TaskTraits& added) {
  for (const std::string& name : {added.name, added.group, added.subgroup.empty() ? added.group : added.subgroup})
    if (!is_name(name))
      throw Error(ErrorCode::kUsage, "register_task: '{}' cannot be a name: letters, digits, '_', '-' and '.' can", name);
  if (make_file_task(added.name) != nullptr)
    throw Error(ErrorCode::kUsage, "register_task: '{}' is the name of tasks that a file of predictions holds", added.name);
  for (const Task* task : all_tasks()) {
    const TaskTraits& held = task->traits();
    const auto refuse = [&](const std::string& word, bool taken) {
      if (taken)
        throw Error(ErrorCode::kUsage, "register_task: '{}' of task '{}' already means task '{}' of group '{}'", word,
                    added.name, held.name, held.group);
    };
    // A word of a list means one thing: a task, the tasks of a group, or some of a group.
    refuse(added.name, added.name == held.name || added.name == held.group || added.name == held.subgroup);
    refuse(added.group, added.group == held.name || added.group == held.subgroup);
    refuse(added.subgroup, added.subgroup == held.name || added.subgroup == held.group ||
                               (!added.subgroup.empty() && added.subgroup == held.subgroup && added.group != held.group));
  }
  for (std::size_t i = 0; i < registry().built_in; ++i)
    if (added.group == all_tasks()[i]->group())
      throw Error(ErrorCode::kUsage,
                  "register_task: group '{}' of task '{}' is a benchmark's, and a mean over it says which tasks it is of; "
                  "name another group",
                  added.group, added.name);
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

Task::Task(TaskTraits traits) : traits_(std::move(traits)) {
  if (traits_.benchmark.empty()) traits_.benchmark = traits_.group;
  if (traits_.lm_eval_name.empty()) traits_.lm_eval_name = traits_.name;
  if (traits_.training.name.empty()) traits_.training.name = traits_.name;
}

const std::vector<const Task*>& all_tasks() { return registry().tasks; }

void register_task(std::unique_ptr<const Task> task) { register_task(std::move(task), nullptr); }

void register_task(std::unique_ptr<const Task> task, std::unique_ptr<const TrainingRows> rows) {
  check_new(task->traits());
  registry().add(std::move(task), std::move(rows));
}

const TrainingRows& training_rows(const Task& task) {
  static const TrainingRows as_they_stand;
  for (const Registry::Entry& entry : registry().owned)
    if (entry.task.get() == &task && entry.rows) return *entry.rows;
  return as_they_stand;
}

const Task* find_task(std::string_view name, const std::vector<const Task*>& user) {
  for (const std::vector<const Task*>* tasks : {&user, &all_tasks()})
    for (const Task* task : *tasks)
      if (task->name() == name) return task;
  return nullptr;
}

std::vector<const Task*> resolve_tasks(const std::string& list, const std::vector<const Task*>& user) {
  std::vector<const Task*> chosen;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    begin = end + 1;
    bool found = false;
    const auto take = [&](const Task* task) {
      found = true;
      if (std::find(chosen.begin(), chosen.end(), task) == chosen.end()) chosen.push_back(task);
    };
    for (const Task* task : user)  // groups of the user's tasks: `nolima_user`, `mrcr_official`
      if (task->name() == word || task->group() == word || task->traits().benchmark == word) take(task);
    if (!found)
      for (const Task* task : all_tasks())
        if (task->name() == word || task->group() == word || (!word.empty() && task->traits().subgroup == word)) take(task);
    if (!found)
      throw Error(ErrorCode::kUsage, "no task or group '{}'{}; `sala_eval list tasks` shows all", word, near_names(word));
  }
  return chosen;
}

}  // namespace sala::tasks
