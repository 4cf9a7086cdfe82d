#include <fmt/format.h>

#include <memory>

#include "eval/cli/commands.h"
#include "eval/run/columns.h"
#include "eval/run/models.h"
#include "sala/tasks/task.h"
#include "sim/mixers/mixer.h"
#include "sim/ops/kernels.h"
#include "sim/posenc/posenc.h"

namespace sala::eval {
namespace {

std::vector<Row> task_rows() {
  std::vector<Row> rows = {{"task", "group", "answer tokens", "what it asks"}};
  for (const tasks::TaskInfo& info : tasks::all_tasks())
    rows.push_back({std::string(info.name), std::string(info.group), std::to_string(info.task->tokens_to_generate()),
                    std::string(info.description)});
  return rows;
}

std::vector<Row> model_rows() {
  std::vector<Row> rows = {{"model", "arch", "ratio", "layers", "pe", "parameters", "trained to", "weights"}};
  for (const ModelEntry& entry : family_members()) {
    if (!entry.problem.empty()) {
      rows.push_back({entry.name, "broken", "", "", "", "", "", entry.problem});
      continue;
    }
    const int64_t trained = entry.config.sala_lab.train_length;
    rows.push_back({entry.name, entry.architecture(), entry.ratio(), layer_map_string(entry.config.mixer_types),
                    position_policy(entry.config), with_commas(parameter_count(entry.config)),
                    trained > 0 ? tasks::format_length(trained) : "?", entry.has_weights ? "yes" : "not here"});
  }
  for (const char* name : {"9b-shape", "qwen3-8b-shape"}) {
    const ModelEntry entry = choose_model({name, "", "", "", ""});
    rows.push_back({name, entry.architecture(), entry.ratio(), layer_map_string(entry.config.mixer_types),
                    position_policy(entry.config), with_commas(parameter_count(entry.config)), "-", "random"});
  }
  return rows;
}

std::vector<Row> mixer_rows() {
  std::vector<Row> rows = {{"mixer", "letter", "kind", "what it is", "source"}};
  for (const MixerKind& kind : mixer_kinds())
    rows.push_back(
        {kind.name, std::string(1, kind.letter), kind.softmax ? "softmax" : "linear", kind.description, kind.source});
  return rows;
}

std::vector<Row> position_rows() {
  std::vector<Row> rows = {{"name", "kind", "what it is"}};
  for (const PositionPolicy& policy : position_policies())
    rows.push_back({policy.name, "policy (--pe)", policy.description});
  for (const PositionEncodingKind& kind : position_encodings()) rows.push_back({kind.name, "encoding", kind.description});
  return rows;
}

std::vector<Row> kernel_rows() {
  std::vector<Row> rows = {{"kernels", "runs here", "what they are"}};
  const std::string best = ops::find_kernels("best").name;
  for (const ops::Kernels& kernels : ops::all_kernels())
    rows.push_back({kernels.name,
                    !kernels.supported()   ? "no"
                    : kernels.name == best ? "yes (best)"
                                           : "yes",
                    kernels.description});
  return rows;
}

}  // namespace

void add_list_command(CLI::App& app) {
  auto what = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("list", "List tasks, models, mixers, position encodings or kernels");
  command->add_option("what", *what, "tasks, models, mixers, posencs or kernels")
      ->required()
      ->check(CLI::IsMember({"tasks", "models", "mixers", "posencs", "kernels"}));
  command->footer("Example:\n  sala_eval list tasks");
  command->callback([what] {
    const std::vector<Row> rows = *what == "tasks"     ? task_rows()
                                  : *what == "models"  ? model_rows()
                                  : *what == "mixers"  ? mixer_rows()
                                  : *what == "posencs" ? position_rows()
                                                       : kernel_rows();
    fmt::print("{}", plain_table(rows, rows[0].size()));
  });
}

}  // namespace sala::eval
