#include "eval/cli/sweep_cells.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "eval/cli/run_flags.h"
#include "eval/run/memory.h"
#include "eval/util/columns.h"
#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "sim/mixers/mixer.h"
#include "sim/text/json.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

// Not the sweep's to vary: where results go and how they are shown.
const std::set<std::string> kNoAxes = {"out", "resume", "other-numerics", "output", "quiet", "config", "help", "min-score"};
// What says which samples, not who answers.
const std::set<std::string> kOfSamples = {"task", "len", "samples", "sample", "seed"};

// A program's only command is `run`, whose flags are these.
class RunParser {
 public:
  RunParser() : program_("sala_eval", ""), command_(program_.add_command("run", "")) {
    command_.last_use_wins();
    add_run_flags(command_, flags_);
  }
  const RunFlags& parse(std::vector<std::string> words) {
    words.insert(words.begin(), "run");
    program_.run(std::move(words));
    return flags_;
  }
  const Command& command() const { return command_; }

 private:
  Program program_;
  RunFlags flags_;
  Command command_;
};

// A combination without kOfSamples: who answers, loaded once for all its tasks and lengths.
struct Answerer {
  std::unique_ptr<const tasks::UserFiles> files;
  RunModel chosen;
  SessionOptions options;
  std::string weights, refusal;
};

// The value of a field that a flag switches, as a user would write it; empty when no layer has the field.
std::string switch_text(const ModelConfig& config, const nlohmann::ordered_json& json, const ConfigField& field) {
  if (!uses_field(config, field.path)) return "";
  const nlohmann::ordered_json* node = &json;
  for (std::size_t begin = 0; begin <= field.path.size();) {
    const std::size_t end = std::min(field.path.find('.', begin), field.path.size());
    const std::string name = field.path.substr(begin, end - begin);
    if (!node->is_object() || !node->contains(name)) return field.fallback;  // files leave it out while it is not set
    node = &(*node)[name];
    begin = end + 1;
  }
  return node->is_null() ? "none" : node->is_string() ? node->get<std::string>() : text::write_json(*node);
}

std::string column_of(const SwitchFlag& flag) { return std::string(flag.name).substr(2); }

// The columns of a cell's model, empty.
Columns model_columns() {
  Columns columns;
  for (const char* name : {"model", "arch", "ratio", "layers", "pe", "training_length", "parameters"})
    columns.emplace_back(name, "");
  for (const ConfigField& field : config_fields())
    if (field.flag.name != nullptr) columns.emplace_back(column_of(field.flag), "");
  for (const char* name : {"yarn", "select", "switches"}) columns.emplace_back(name, "");
  return columns;
}

bool has(const Columns& columns, const std::string& name) {
  return std::any_of(columns.begin(), columns.end(), [&](const auto& column) { return column.first == name; });
}

Columns model_columns(const RunPlan& plan, const ModelEntry& entry) {
  const ModelConfig& config = plan.model;
  const nlohmann::ordered_json json = text::parse_json(config.to_json(), "the config");
  std::map<std::string, std::string> known = {{"model", plan.model_name},
                                              {"arch", entry.architecture()},
                                              {"ratio", entry.ratio()},
                                              {"layers", layer_map_string(config.mixer_types)},
                                              {"pe", position_policy(config)},
                                              {"parameters", std::to_string(parameter_count(config))},
                                              {"select", select_name(plan.select)},
                                              {"switches", fmt::format("{}", fmt::join(plan.switches, "; "))}};
  if (config.sala_lab.train_length > 0) known["training_length"] = std::to_string(config.sala_lab.train_length);
  if (config.rope_scaling && config.rope_scaling->rope_type == "yarn")
    known["yarn"] = fmt::format("{}", config.rope_scaling->factor);
  for (const ConfigField& field : config_fields())
    if (field.flag.name != nullptr) known[column_of(field.flag)] = switch_text(config, json, field);
  Columns columns = model_columns();
  for (auto& [name, text] : columns) text = known[name];
  return columns;
}

class Planner {
 public:
  Planner(const SweepFile& file, int threads) : file_(file), threads_(threads) {}

  SweepCells plan() {
    for (const Settings& settings : file_.combinations) {
      try {
        add(settings);
      } catch (const Error& problem) {
        throw Error(problem.code(), "{}.toml: {}", file_.name, problem.what());
      }
    }
    check_excludes();
    if (excluded_count_ > 0) planned_.notes.push_back(counted(excluded_count_, "cell") + " excluded");
    if (repeats_ > 0)
      planned_.notes.push_back(fmt::format("{} of the grid {} the same as another and {} once", counted(repeats_, "cell"),
                                           repeats_ == 1 ? "is" : "are", repeats_ == 1 ? "runs" : "run"));
    if (planned_.cells.empty()) throw Error(ErrorCode::kUsage, "{}.toml: no cell is left, all are excluded", file_.name);
    for (const auto& [settings, who] : answerers_)
      if (who.refusal.empty()) planned_.options = who.options;
    return std::move(planned_);
  }

 private:
  void add(const Settings& settings) {
    const std::vector<std::string> words = words_of(settings, flags_);
    RunParser parser;
    const RunFlags& flags = parser.parse(words);
    Answerer& who = answerer(settings, flags);
    const std::vector<Cell> cells = cells_of(flags, *who.files);
    std::vector<std::string> own;  // of the command that runs one cell
    for (const std::string& word : words) {
      const std::string name = word.substr(2, word.find('=') - 2);
      if (name != "task" && name != "len" && name != "samples" && name != "sample") own.push_back(word);
    }
    std::optional<RunPlan> plan;
    if (who.refusal.empty()) plan = make_plan(flags, who.chosen, *who.files);
    for (const Cell& cell : cells) {
      if (is_excluded(settings, cell)) {
        ++excluded_count_;
        continue;
      }
      PrefillWork work;
      SweepCell made = asked_for(settings, flags, cell);
      made.words = own;
      made.words.push_back("--task=" + std::string(cell.task->name()));
      made.words.push_back(fmt::format("--len={}", cell.length));
      if (plan)
        describe(*plan, who, cell, made, work);
      else
        made.refusal = who.refusal;
      take(std::move(made), work);
    }
  }

  Answerer& answerer(const Settings& settings, const RunFlags& flags) {
    Settings key = settings;
    for (const std::string& name : kOfSamples) key.erase(name);
    const auto [place, is_new] = answerers_.try_emplace(std::move(key));
    Answerer& who = place->second;
    if (!is_new) return who;
    who.files = open_user_files(flags.user, "sweep", true);
    try {
      EngineFlags engine = flags.engine;
      if (engine.threads == 0) engine.threads = threads_;
      who.options = session_options(engine);
      who.chosen = choose_run_model(flags);
      if (!who.chosen.entry.random() && !who.chosen.entry.has_weights)
        throw Error(ErrorCode::kIo, "{} has no weights", who.chosen.entry.directory);
      who.weights = weights_hash(who.chosen.entry);
    } catch (const Error& problem) {
      who.refusal = error_sentence(problem);
    }
    return who;
  }

  // Whether the value of an axis, as an [[exclude]] says it, is the cell's.
  static bool is_of(const std::string& name, const std::string& value, const Settings& settings, const Cell& cell) {
    if (name == "len") {
      const std::vector<int64_t> lengths = tasks::parse_lengths(value);
      return std::find(lengths.begin(), lengths.end(), cell.length) != lengths.end();
    }
    if (name == "task") {
      const std::vector<const tasks::Task*> meant = tasks::resolve_tasks(value, {cell.task});
      return std::any_of(meant.begin(), meant.end(), [&](const auto* task) { return task->name() == cell.task->name(); });
    }
    const auto said = settings.find(name);
    return said != settings.end() && said->second == value;
  }

  bool is_excluded(const Settings& settings, const Cell& cell) {
    bool any = false;
    for (const auto& exclude : file_.excludes) {
      bool all = true;
      for (const auto& [name, values] : exclude) {
        bool one = false;
        for (const std::string& value : values) {
          if (!is_of(name, value, settings, cell)) continue;
          one = true;
          met_.insert({name, value});
        }
        all = all && one;
        said_[name].insert(name == "len"             ? std::to_string(cell.length)
                           : name == "task"          ? std::string(cell.task->name())
                           : settings.contains(name) ? settings.at(name)
                                                     : "");
      }
      any = any || all;
    }
    return any;
  }

  // A value that no cell has was mistyped.
  void check_excludes() const {
    for (std::size_t i = 0; i < file_.excludes.size(); ++i)
      for (const auto& [name, values] : file_.excludes[i])
        for (const std::string& value : values) {
          if (met_.contains({name, value})) continue;
          const std::set<std::string>& said = said_.at(name);
          throw Error(ErrorCode::kUsage, "{}.toml: [[exclude]] {} '{}' is '{}', which no cell has{}", file_.name, i + 1,
                      name, value, text::near_it(value, {said.begin(), said.end()}));
        }
  }

  // What the file says of the cell.
  static SweepCell asked_for(const Settings& settings, const RunFlags& flags, const Cell& cell) {
    SweepCell made;
    made.task = std::string(cell.task->name());
    made.group = std::string(cell.task->group());
    made.length = cell.length;
    made.samples = cell.samples;
    made.seed = std::to_string(flags.seed);
    made.model = model_columns();
    for (const auto& [name, value] : settings) {
      if (kOfSamples.contains(name)) continue;
      if (!has(made.model, name)) {
        made.asked.emplace_back(name, value);
        continue;
      }
      for (auto& [column, text] : made.model)
        if (column == name) text = value;
    }
    return made;
  }

  // What is known of a cell that can run; a cell that cannot gets its refusal.
  static void describe(RunPlan plan, const Answerer& who, const Cell& cell, SweepCell& made, PrefillWork& work) {
    try {
      plan.weights_hash = who.weights;
      plan.cells = {cell};
      check_select(plan.select, plan.model_name, plan.model, cell.length);
      made.model = model_columns(plan, who.chosen.entry);
      made.versions = {{"samples_version", std::to_string(tasks::kSamplesVersion)},
                       {"numerics", numerics_class(plan.numerics, plan.device)},
                       {"numerics_version", std::to_string(kNumericsVersion)},
                       {"weights", who.weights}};
      SessionOptions options = who.options;
      options.max_tokens = plan.longest();
      made.memory_bytes = Session::plan(plan.model, options).total_bytes() + kProcessBytes;
      work = prefill_work(plan.model, options.max_tokens, options.prune);
      made.flops_a_sample = work.total();
      made.name = cell_name(plan.to_json());
    } catch (const Error& problem) {
      made.refusal = error_sentence(problem);
    }
  }

  void take(SweepCell cell, const PrefillWork& work) {
    const auto [place, is_new] = places_.emplace(cell.key(), planned_.cells.size());
    if (is_new) {
      planned_.cells.push_back(std::move(cell));
      planned_.works.push_back(work);
      return;
    }
    ++repeats_;
    planned_.cells[place->second].ask_for(cell.samples);
  }

  const SweepFile& file_;
  int threads_;
  const std::vector<AxisFlag> flags_ = axis_flags();
  SweepCells planned_;
  std::map<Settings, Answerer> answerers_;
  std::map<std::string, std::size_t> places_;  // by SweepCell::key()
  int64_t repeats_ = 0, excluded_count_ = 0;
  // Of the axes that an [[exclude]] names: values that it says and some cell has, and all that cells have.
  std::set<std::pair<std::string, std::string>> met_;
  std::map<std::string, std::set<std::string>> said_;
};

}  // namespace

std::vector<AxisFlag> axis_flags() {
  const RunParser parser;
  std::vector<AxisFlag> flags;
  for (const std::string& flag : parser.command().long_flags())
    if (const std::string name = flag.substr(2); !kNoAxes.contains(name))
      flags.push_back({name, parser.command().takes_value(flag)});
  return flags;
}

SweepCells cells_of_sweep(const SweepFile& file, int threads) { return Planner(file, threads).plan(); }

}  // namespace sala::eval
