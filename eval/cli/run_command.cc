#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/cli/user_flags.h"
#include "eval/report/report.h"
#include "eval/run/memory.h"
#include "eval/run/runner.h"
#include "eval/store/run_file.h"
#include "eval/util/interrupt.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/model/cost.h"
#include "sim/mixers/mixer.h"
#include "sim/ops/kernels.h"

namespace sala::eval {
namespace {

constexpr int kGateMissed = 1, kInterruptedExit = 130;

struct RunFlags {
  std::string tasks, lengths, sample, probe = "answer", select = "learned", out, output = "table", min_score, tokenizer,
                                      config;
  int64_t samples = 0;
  uint64_t seed = 42;
  bool resume = false, quiet = false;
  ModelFlags model;
  EngineFlags engine;
  UserFlags user;
};

void add_flags(Command& command, RunFlags& flags) {
  const char *what = "What to run", *results = "Results";
  command.add_option("--task", flags.tasks, "Comma list of tasks and groups: ruler, niah, niah_single_1, ...")
      .type_name("LIST")
      .required()
      .group(what);
  command.add_option("--len", flags.lengths, "Comma list of lengths in tokens: 4k,128k or 4k-2048k*2")
      .type_name("LIST")
      .required()
      .group(what);
  command
      .add_option("--samples", flags.samples,
                  "Samples of each task and length [20 up to 8k, 10 to 32k, 5 to 128k, 2 to 512k, else 1]")
      .check(whole_number(1, 1000000))
      .type_name("N")
      .group(what);
  command.add_option("--sample", flags.sample, "Only these samples: 0,4-7").type_name("I,J-K").group(what);
  command.add_option("--seed", flags.seed, "Seed of the samples")
      .check(whole_number(0))
      .type_name("S")
      .show_default()
      .group(what);
  command
      .add_option("--probe", flags.probe, "answer: record what the sparse layers selected for the answer")

      .one_of({"none", "answer"})
      .show_default()
      .group(what);
  add_select_flag(command, flags.select, what);
  command.add_option("--tokenizer", flags.tokenizer, "Tokenizer instead of the model's own")
      .type_name("NAME|FILE")
      .group(what);
  command.add_option("--out", flags.out, "Folder of the results [results/runs/TASKS-LENGTHS-MODEL, numbered]")
      .type_name("DIR")
      .group(results);
  command.add_flag("--resume", flags.resume, "Go on with the run in --out").group(results);
  command.add_option("--min-score", flags.min_score, "Exit with 1 when a task scores less than this at some length, 0-100")
      .type_name("X")
      .group(results);
  add_output_flag(command, flags.output, results);
  command.add_flag("--quiet", flags.quiet, "No progress on stderr").group(results);
  command.add_option("--config", flags.config, "TOML file with any of these flags").type_name("FILE").group(results);
  add_user_flags(command, flags.user);
  add_model_flags(command, flags.model);
  add_engine_flags(command, flags.engine);
}

std::optional<double> parse_gate(const std::string& text) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (*end != 0 || !(value >= 0 && value <= 100))
    throw Error(ErrorCode::kUsage, "--min-score is '{}', expected a number from 0 to 100", text);
  return value;
}

RunPlan make_plan(const RunFlags& flags, const ModelEntry& entry, const Tokenizer& tokenizer,
                  const tasks::UserFiles& files) {
  RunPlan plan;
  plan.model_name = entry.name;
  plan.model = configured(entry, flags.model);
  plan.switches = config_switches(entry.config, plan.model);
  plan.select = select_of_name(flags.select);
  plan.tokenizer_kind = tokenizer.kind();
  plan.tokenizer_hash = tokenizer.hash();
  plan.seed = flags.seed;
  plan.mode = flags.user.mode();
  plan.corpora = files.corpora();
  plan.numerics = flags.engine.dtype == "bf16" ? Numerics::kBf16 : Numerics::kFp32;
  plan.kernels = flags.engine.kernels == "ref" ? "ref" : "fast";  // every other set gives the same bytes
  plan.probe_answers = flags.probe == "answer";
  if (plan.model.bos_token_id) plan.prefix = {static_cast<int32_t>(*plan.model.bos_token_id)};
  if (!flags.sample.empty() && flags.samples > 0) throw Error(ErrorCode::kUsage, "--samples and --sample: give either");
  std::vector<int64_t> lengths = tasks::parse_lengths(flags.lengths);
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  const std::vector<const tasks::Task*> chosen = tasks::resolve_tasks(flags.tasks, files.tasks());
  for (const int64_t length : lengths) {
    std::vector<int64_t> samples = flags.sample.empty() ? std::vector<int64_t>{} : parse_indexes(flags.sample);
    if (samples.empty())
      for (int64_t i = 0; i < (flags.samples > 0 ? flags.samples : default_samples(length)); ++i) samples.push_back(i);
    for (const tasks::Task* task : chosen) plan.cells.push_back({task, length, samples});
  }
  return plan;
}

// A length that is too short for a task is refused before anything is written or loaded.
void check_lengths(const RunPlan& plan, const Tokenizer& tokenizer) {
  constexpr int64_t kSurelyEnough = 16384;
  for (const Cell& cell : plan.cells) {
    if (cell.length < kSurelyEnough) cell.task->make_sample(plan.request(cell, cell.samples[0]), tokenizer);
  }
}

// A selection policy that would change nothing, or knows nothing, is refused as early. Prompts are shorter than the length
// and differ by some tokens: where dense_len is near them, every sample is asked, else the first of a cell.
void check_policy(const RunPlan& plan, const Tokenizer& tokenizer) {
  if (plan.select == SelectBy::kLearned) return;
  const auto shift = static_cast<int64_t>(plan.prefix.size());
  const int64_t dense_len = selects_from(plan.model).value_or(0);
  check_select(plan.select, plan.model_name, plan.model, dense_len);  // whether any layer selects, before samples are made
  if (plan.select == SelectBy::kRandom && dense_len <= 0) return;
  for (const Cell& cell : plan.cells) {
    const bool near = dense_len > cell.length / 4 || !cell.task->traits().fits_length(plan.mode);
    for (const int64_t index : cell.samples) {
      const tasks::Sample sample = cell.task->make_sample(plan.request(cell, index), tokenizer);
      check_select(plan.select, plan.model_name, plan.model, shift + static_cast<int64_t>(sample.prompt_ids.size()));
      policy_for(plan.select, sample, shift, plan.seed);
      if (!near) break;
    }
  }
}

// Where a length does not limit the samples, they are made once to know what a session must hold.
void measure_samples(RunPlan& plan, const Tokenizer& tokenizer) {
  for (Cell& cell : plan.cells) {
    if (cell.task->traits().fits_length(plan.mode)) continue;
    for (const int64_t index : cell.samples) {
      const tasks::Sample sample = cell.task->make_sample(plan.request(cell, index), tokenizer);
      cell.most_tokens =
          std::max(cell.most_tokens, static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate);
    }
  }
}

std::string default_folder(const RunFlags& flags, const RunPlan& plan) {
  std::string name = fmt::format("{}-{}-{}", flags.tasks, flags.lengths, plan.model_name);
  if (plan.select != SelectBy::kLearned) name += "-" + select_name(plan.select);
  for (char& c : name)
    if (c == '/' || c == ' ' || c == '*' || c == ',') c = c == ',' ? '+' : '_';
  constexpr std::size_t kLongestName = 120;
  name = "results/runs/" + name.substr(0, kLongestName);
  std::string folder = name, last = name;
  for (int i = 2; std::filesystem::exists(folder); ++i) {
    last = folder;
    folder = fmt::format("{}-{}", name, i);
  }
  return flags.resume ? last : folder;  // resuming without --out goes on with the newest
}

// The command for the results: without the place of the program, which says nothing on another machine.
std::string recorded_command(std::vector<std::string> words) {
  words[0] = std::filesystem::path(words[0]).filename().string();
  return shell_quoted(words);
}

std::string resume_command(const CommandState& state, const RunFlags& flags, const std::string& folder) {
  std::vector<std::string> words = state.words;
  if (flags.out.empty()) words.insert(words.end(), {"--out", folder});
  if (!flags.resume) words.push_back("--resume");
  return shell_quoted(words);
}

// Everything of one run, in the order of its life.
class RunCommand {
 public:
  RunCommand(const RunFlags& flags, CommandState& state) : flags_(flags), state_(state) {}

  void run() {
    const std::optional<double> gate = parse_gate(flags_.min_score);
    SessionOptions options = session_options(flags_.engine);
    const ModelEntry entry = choose_model(flags_.model.choice);
    const auto tokenizer = model_tokenizer(entry, flags_.tokenizer);
    files_ = open_user_files(flags_.user, "run", flags_.quiet);
    plan_ = make_plan(flags_, entry, *tokenizer, *files_);
    measure_samples(plan_, *tokenizer);
    options.max_tokens = plan_.longest();
    const MemoryPlan memory = check_fits(plan_.model, options, flags_.engine);
    check_lengths(plan_, *tokenizer);
    check_policy(plan_, *tokenizer);
    const Model model = load_model(entry, plan_.model);
    plan_.weights_hash = weights_hash(entry);
    const std::string folder = flags_.out.empty() ? default_folder(flags_, plan_) : flags_.out;
    provenance_ = make_provenance(ops::find_kernels(options.kernels).name, recorded_command(state_.words));
    RunDirectory directory =
        flags_.resume ? RunDirectory::resume(folder, plan_, utc_now()) : RunDirectory::begin(folder, plan_, utc_now());
    Progress progress(stderr, flags_.quiet, isatty(fileno(stderr)) != 0, plan_,
                      [&](int64_t length) { return prefill_cost(plan_.model, length).total(); });
    introduce(progress, entry, memory, directory);
    SessionEngine engine(model, options, plan_.model.eos_token_id);
    run_samples_safely(engine, *tokenizer, directory, progress);
    progress.finish();
    print(directory);
    if (state_.exit_code == 0 && gate) check_gate(*gate, directory);
  }

 private:
  void introduce(Progress& progress, const ModelEntry& entry, const MemoryPlan& memory,
                 const RunDirectory& directory) const {
    progress.say(fmt::format("sala_eval {}, {} {}, kernels {}, {} on {}", version_text(), num_threads(),
                             num_threads() == 1 ? "thread" : "threads", ops::find_kernels(flags_.engine.kernels).name,
                             numerics_name(plan_.numerics), cpu_model()));
    progress.say(fmt::format("model {}: {} layers {}, {}, {:.1f} M parameters{}", entry.name, plan_.model.num_hidden_layers,
                             layer_map_string(plan_.model.mixer_types), position_policy(plan_.model),
                             static_cast<double>(parameter_count(plan_.model)) / 1e6,
                             entry.random() ? ", random weights: its answers mean nothing" : ""));
    if (plan_.select != SelectBy::kLearned) progress.say(select_sentence(plan_.select));
    if (!plan_.switches.empty()) progress.say(fmt::format("switched after training: {}", fmt::join(plan_.switches, "; ")));
    for (const std::string& key : plan_.model.unknown_keys)
      progress.say(fmt::format("config.json: '{}' means nothing here", key));
    std::vector<std::string> lengths;
    for (std::size_t i = 0; i < plan_.cells.size(); ++i)
      if (i == 0 || plan_.cells[i].length != plan_.cells[i - 1].length)
        lengths.push_back(fmt::format("{} = {} tokens, {} samples a task", tasks::format_length(plan_.cells[i].length),
                                      plan_.cells[i].length, plan_.cells[i].samples.size()));
    progress.say(fmt::format("lengths: {}; seed {}{}", fmt::join(lengths, "; "), plan_.seed,
                             plan_.mode == tasks::Mode::kUpstream ? "; mode upstream" : ""));
    progress.say("memory: " + describe_plan(memory));
    progress.say("results: " + directory.path());
    for (const std::string& note : directory.notes()) progress.say(note);
    if (!directory.records().empty())
      progress.say(fmt::format("{} of {} samples were done before", directory.records().size(), plan_.sample_count()));
  }

  void run_samples_safely(Engine& engine, const Tokenizer& tokenizer, RunDirectory& directory, Progress& progress) {
    catch_signals();
    RunnerParts parts{engine, tokenizer, directory, progress, stop_if_interrupted, [&](const Cell&) { save(directory); }};
    try {
      save(directory);  // an unwritable or full disk is found now
      run_samples(plan_, parts);
      save(directory);
    } catch (const Interrupted&) {
      progress.finish();
      save(directory);
      state_.exit_code = kInterruptedExit;
      fmt::print(stderr, "interrupted; everything is saved. Go on with:\n  {}\n",
                 resume_command(state_, flags_, directory.path()));
    } catch (const Error& problem) {
      progress.finish();
      throw Error(problem.code(), "{}; what was done is in {}, go on with: {}", problem.what(), directory.path(),
                  resume_command(state_, flags_, directory.path()));
    }
  }

  void save(const RunDirectory& directory) const {
    const RunResults results = summarize(plan_, directory.records());
    Provenance provenance = provenance_;
    provenance.emplace_back("started", directory.started());
    provenance.emplace_back("written", utc_now());
    write_run_file(directory, plan_, results, provenance);
    write_atomically(directory.file("summary.json"), summary_json(plan_, results, provenance).dump(1) + "\n");
    write_atomically(directory.file("summary.md"), format_results(plan_, results, "md"));
  }

  void print(const RunDirectory& directory) const {
    const RunResults results = summarize(plan_, directory.records());
    if (flags_.output == "json") {
      fmt::print("{}\n", summary_json(plan_, results, provenance_).dump(1));
    } else if (!results.cells.empty() || flags_.output == "csv") {
      fmt::print("{}", format_results(plan_, results, flags_.output));
    }
    if (std::fflush(stdout) != 0) throw Error(ErrorCode::kIo, "cannot write to standard output");
  }

  void check_gate(double gate, const RunDirectory& directory) {
    const RunResults results = summarize(plan_, directory.records());
    for (const CellResult& cell : results.cells) {
      if (100 * cell.score >= gate) continue;
      state_.exit_code = kGateMissed;
      fmt::print(stderr, "score gate missed: {} scored {:.2f}, --min-score is {}\n", cell.cell.name(), 100 * cell.score,
                 gate);
    }
  }

  const RunFlags& flags_;
  CommandState& state_;
  std::unique_ptr<const tasks::UserFiles> files_;  // the plan's tasks and texts
  RunPlan plan_;
  Provenance provenance_;
};

}  // namespace

void add_run_command(Program& program, CommandState& state) {
  auto flags = std::make_shared<RunFlags>();
  Command command = program.add_command("run", "Run tasks on a model (the command when none is named)");
  command.last_use_wins();
  add_flags(command, *flags);
  command.footer(
      "Example:\n  sala_eval run --task niah_single_1,niah_multikey_1 --len 4k,128k --probe answer --out "
      "results/runs/first\n"
      "Exit code 0 done, 1 below --min-score, 130 interrupted, others in docs/errors.md.");
  command.callback([flags, &state] { RunCommand(*flags, state).run(); });
}

}  // namespace sala::eval
