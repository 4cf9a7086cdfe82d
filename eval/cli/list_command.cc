#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "eval/cli/commands.h"
#include "eval/observe/statistic.h"
#include "eval/spec/family.h"
#include "eval/spec/models.h"
#include "eval/spec/training_record.h"
#include "eval/util/columns.h"
#include "eval/util/streams.h"
#include "sala/tasks/task.h"
#include "sim/mixers/mixer.h"
#include "sim/ops/kernels.h"
#include "sim/posenc/posenc.h"

namespace sala::eval {
namespace {

std::vector<Row> task_rows() {
  std::vector<Row> rows = {{"task", "group", "answer tokens", "what it asks"}};
  for (const tasks::Task* task : tasks::all_tasks())
    rows.push_back(
        {task->name(), task->group(), std::to_string(task->traits().tokens_to_generate), task->traits().description});
  return rows;
}

std::vector<Row> model_rows() {
  std::vector<Row> rows = {{"model", "arch", "ratio", "layers", "pe", "parameters", "trained to", "tokens"}};
  for (const std::string& score : training_scores()) rows[0].push_back(score);
  rows[0].push_back("weights");
  // What `training` lacks is shown as "-".
  const auto add = [&](const ModelEntry& entry, const std::string& trained, const std::optional<TrainingRecord>& training,
                       const std::string& weights) {
    Row row = {entry.name,
               entry.architecture(),
               entry.ratio(),
               layer_map_string(entry.config.mixer_types),
               position_policy(entry.config),
               entry.planned ? "-" : with_commas(parameter_count(entry.config)),
               trained};
    row.push_back(training ? fmt::format("{:.0f} M", static_cast<double>(training->tokens) / 1e6) : "-");
    const std::map<std::string, double> scores =
        training ? std::map<std::string, double>(training->scores.begin(), training->scores.end())
                 : std::map<std::string, double>{};
    for (const std::string& name : training_scores())
      row.push_back(scores.count(name) ? fmt::format("{:.0f}", 100 * scores.at(name)) : "-");
    row.push_back(weights);
    rows.push_back(row);
  };
  std::set<std::string> here;
  for (const ModelEntry& entry : family_members()) {
    here.insert(entry.name);
    if (!entry.problem.empty()) {
      Row row = {entry.name, "broken"};
      row.resize(rows[0].size());
      row.back() = entry.problem;
      rows.push_back(row);
      continue;
    }
    const int64_t trained = entry.config.sala_lab.train_length;
    const std::optional<TrainingRecord> training = read_training(entry.directory);
    const bool broken = training && !training->problem.empty();
    add(entry, trained > 0 ? tasks::format_length(trained) : "?", broken ? std::nullopt : training,
        (entry.has_weights ? "yes" : "not here") + (broken ? "; " + training->problem : ""));
  }
  for (const ModelEntry& entry : planned_members())
    if (here.count(entry.name) == 0) add(entry, "-", std::nullopt, "to be trained");
  for (const char* name : {"9b-shape", "qwen3-8b-shape"})
    add(choose_model({name, "", "", "", ""}), "-", std::nullopt, "random");
  return rows;
}

std::string model_notes() {
  std::map<std::string_view, std::set<std::string_view>> shown;  // figure: names
  for (const tasks::Task* task : tasks::all_tasks()) {
    const tasks::TrainingFigure& figure = task->traits().training;
    shown[figure.figure].insert(figure.name);
  }
  std::vector<std::string> figures;
  for (const auto& [figure, names] : shown)
    figures.push_back(fmt::format("{}: {}", fmt::join(names, ", "),
                                  figure == "exact" ? "whole answers" : fmt::format("{} of the answer", figure)));
  return fmt::format("tokens: seen in training. Scores: held-out training rows of the longest kind, percent right; {}.\n",
                     fmt::join(figures, "; ")) +
         "to be trained: described in train/family.toml; `" + training_command({"NAME"}) + "` (docs/training.md).\n";
}

std::vector<Row> mixer_rows() {
  std::vector<Row> rows = {{"mixer", "letter", "kind", "what it is", "source"}};
  for (const MixerKind& kind : mixer_kinds())
    rows.push_back({kind.name, kind.letters.substr(0, 1),
                    kind.traits.softmax  ? "softmax"
                    : kind.traits.linear ? "linear"
                                         : "other",
                    kind.description, kind.source});
  return rows;
}

std::vector<Row> position_rows() {
  std::vector<Row> rows = {{"name", "kind", "what it is"}};
  for (const PositionPolicy& policy : position_policies())
    rows.push_back({policy.name, "policy (--pe)", policy.description});
  for (const PositionEncodingKind& kind : position_encodings()) {
    std::vector<std::string> numbers;
    for (const EncodingParam& param : kind.params) numbers.push_back(param.name);
    rows.push_back({kind.name, "encoding",
                    kind.description + (numbers.empty() ? "" : fmt::format("; takes {}", fmt::join(numbers, ", ")))});
  }
  return rows;
}

std::vector<Row> config_rows() {
  std::vector<Row> rows = {{"field of config.json", "holds", "default", "what it is"}};
  for (const ConfigField& field : config_fields()) rows.push_back({field.path, field.type, field.fallback, field.help});
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

std::vector<Row> statistic_rows() {
  std::vector<Row> rows{{"statistic", "what it records of the answer's queries"}};
  for (const StatisticKind& kind : statistics()) rows.push_back({kind.name, kind.description});
  return rows;
}

struct List {
  const char *name, *shows;
  std::vector<Row> (*rows)();
};
const std::vector<List> kLists = {{"tasks", "what a model can be asked", task_rows},
                                  {"models", "members of the family, how they were trained", model_rows},
                                  {"mixers", "kinds of layers", mixer_rows},
                                  {"posencs", "position policies (--pe) and encodings", position_rows},
                                  {"statistics", "what --probe records", statistic_rows},
                                  {"kernels", "instruction sets (--kernels)", kernel_rows},
                                  {"config", "fields of config.json (--set)", config_rows}};

std::vector<Row> list_rows() {
  std::vector<Row> rows = {{"sala_eval list", "shows"}};
  for (const List& list : kLists) rows.push_back({list.name, list.shows});
  return rows;
}

}  // namespace

void add_list_command(Program& program) {
  std::vector<std::string> names;
  for (const List& list : kLists) names.push_back(list.name);
  auto what = std::make_shared<std::string>();
  Command command = program.add_command(
      "list", "List tasks, models, mixers, position encodings, statistics, kernels or fields of config.json");
  command
      .add_option("what", *what, "tasks, models, mixers, posencs, statistics, kernels or config; without it: what each is")
      .one_of(names);
  command.footer("Example:\n  sala_eval list tasks");
  command.callback([what] {
    const auto list = std::find_if(kLists.begin(), kLists.end(), [&](const List& each) { return each.name == *what; });
    const std::vector<Row> rows = list == kLists.end() ? list_rows() : list->rows();
    streams::print_text(plain_table(rows, rows[0].size()));
    if (*what == "models") streams::print_text(model_notes());
  });
}

}  // namespace sala::eval
