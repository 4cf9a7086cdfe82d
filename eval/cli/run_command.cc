#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "eval/cli/commands.h"
#include "eval/cli/run_flags.h"
#include "eval/report/report.h"
#include "eval/run/checks.h"
#include "eval/run/memory.h"
#include "eval/run/run_job.h"
#include "eval/spec/plan_file.h"
#include "eval/spec/record.h"
#include "eval/study/this_machine.h"
#include "eval/subject/session_subject.h"
#include "eval/util/clock.h"
#include "eval/util/columns.h"
#include "eval/util/interrupt.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/model/cost.h"
#include "sim/ops/kernels.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

constexpr int kGateMissed = 1, kInterruptedExit = 130;

std::optional<double> parse_gate(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::optional<double> value = decimal_number(text);
  if (!value || *value < 0 || *value > 100)
    throw Error(ErrorCode::kUsage, "--min-score is '{}', expected a number from 0 to 100", text);
  return value;
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
  return printable_utf8(shell_quoted(words));
}

std::string resume_command(const CommandState& state, const RunFlags& flags, const std::string& folder) {
  std::vector<std::string> words = state.words;
  if (flags.out.empty()) words.insert(words.end(), {"--out", folder});
  if (!flags.resume) words.push_back("--resume");
  return shell_quoted(words);
}

const ops::Kernels& kernels_of(const EngineFlags& flags) {
  return ops::find_kernels(flags.kernels, find_device(flags.device).kind());
}

// "cpu", "cuda: NVIDIA H200, compute capability 9.0, ..."
std::string device_text(const std::string& name) {
  const std::string description = find_device(name).description();
  return description.empty() ? name : name + ": " + description;
}

void introduce(const Job& job, const RunFlags& flags, const ModelEntry& entry, const MemoryPlan& memory,
               const std::vector<std::string>& notes) {
  const RunPlan& plan = job.plan;
  Progress& progress = job.progress;
  const std::string device = find_device(plan.device).description();
  progress.say(fmt::format("sala_eval {}, {}, kernels {}, {} on {}", version_text(), counted(num_threads(), "thread"),
                           kernels_of(flags.engine).name, numerics_class(plan.numerics, plan.device),
                           device.empty() ? cpu_model() : device));
  progress.say(fmt::format("model {}: {} layers {}, {}, {:.1f} M parameters{}", entry.name, plan.model.num_hidden_layers,
                           layer_map_string(plan.model.mixer_types), position_policy(plan.model),
                           static_cast<double>(parameter_count(plan.model)) / 1e6,
                           entry.random() ? ", random weights: its answers mean nothing" : ""));
  if (plan.select != SelectBy::kLearned) progress.say(select_sentence(plan.select));
  if (!plan.switches.empty()) progress.say(fmt::format("switched after training: {}", fmt::join(plan.switches, "; ")));
  for (const std::string& note : notes) progress.say(note);
  std::vector<std::string> lengths;
  for (std::size_t i = 0; i < plan.cells.size(); ++i)
    if (i == 0 || plan.cells[i].length != plan.cells[i - 1].length)
      lengths.push_back(fmt::format("{} = {} tokens, {} a task", tasks::format_length(plan.cells[i].length),
                                    plan.cells[i].length,
                                    counted(static_cast<int64_t>(plan.cells[i].samples.size()), "sample")));
  progress.say(fmt::format("lengths: {}; seed {}{}", fmt::join(lengths, "; "), plan.seed,
                           plan.mode == tasks::Mode::kUpstream ? "; mode upstream" : ""));
  int64_t most_at_once = 1;
  for (const Cell& cell : plan.cells)
    most_at_once =
        std::max(most_at_once, job.subjects.at_once(plan.most_tokens(cell), static_cast<int64_t>(cell.samples.size())));
  progress.say("memory: " + describe_plan(memory) +
               (most_at_once == 1
                    ? ""
                    : fmt::format("; up to {} samples at once share the weights and have the rest each", most_at_once)));
  progress.say("results: " + job.directory.path());
  for (const std::string& note : job.directory.notes()) progress.say(note);
  if (!job.directory.records().empty())
    progress.say(
        fmt::format("{} of {} done before", job.directory.records().size(), counted(plan.sample_count(), "sample")));
}

// What is known before a run, by the closed forms.
struct Expected {
  std::optional<double> prefill_seconds;  // of all prompts; nothing while this machine is not measured
  int64_t bytes = 0;
};

Expected expected(const RunPlan& plan, SessionSubjects& subjects, const SessionOptions& options) {
  Expected all{0.0, 0};
  for (const Cell& cell : plan.cells) {
    const auto samples = static_cast<int64_t>(cell.samples.size());
    const int64_t lanes = subjects.at_once(plan.most_tokens(cell), samples);
    SessionOptions shape = options;
    shape.max_tokens = plan.most_tokens(cell);
    shape.threads = static_cast<int>(std::max<int64_t>(1, num_threads() / lanes));
    const MemoryPlan memory = Session::plan(plan.model, shape);
    int64_t shared = 0;
    for (const MemoryPlan::Item& item : memory.items) shared += item.name == "weights" ? item.bytes : 0;
    all.bytes = std::max(all.bytes, shared + lanes * (memory.total_bytes() - shared) + kProcessBytes);
    const std::optional<DeviceRates> rates = known_machine(shape);
    if (!rates) all.prefill_seconds.reset();
    if (all.prefill_seconds)
      *all.prefill_seconds +=
          static_cast<double>(samples) * seconds_of(prefill_work(plan.model, cell.length, options.prune), *rates);
  }
  return all;
}

// For the results: how right it was is seen there.
void record(const Expected& plan, Provenance& provenance) {
  provenance.emplace_back("planned_bytes", fmt::format("{}", plan.bytes));
  if (plan.prefill_seconds)
    provenance.emplace_back("expected_prefill_seconds", fmt::format("{:.4g}", *plan.prefill_seconds));
}

std::string measured_text(const Expected& plan, const RunResults& results) {
  double seconds = 0;
  for (const CellResult& cell : results.cells)
    for (const SampleRecord* record : cell.records) seconds += record->timing.prefill_seconds;
  return fmt::format("prompts took {}{}; memory: up to {}, {} planned", format_seconds(seconds),
                     plan.prefill_seconds ? fmt::format(", ~ {} expected", format_seconds(*plan.prefill_seconds)) : "",
                     format_bytes(peak_memory()), format_bytes(plan.bytes));
}

// The results, or those so far when the user interrupts the run.
RunResults run_or_say(const Job& job, const RunFlags& flags, CommandState& state) {
  const std::string& folder = job.directory.path();
  try {
    return run_job(job);
  } catch (const Interrupted&) {
    job.progress.finish();
    state.exit_code = kInterruptedExit;
    streams::note("interrupted; everything is saved. Go on with:\n  {}\n", resume_command(state, flags, folder));
    return summarize(job.plan, job.directory.records());
  } catch (const Error& problem) {
    job.progress.finish();
    throw Error(problem.code(), "{}; what was done is in {}, go on with: {}", problem.what(), folder,
                resume_command(state, flags, folder));
  }
}

void print(const Job& job, const RunResults& results, const std::string& output) {
  if (output == "json") {
    streams::print_text(text::write_json(summary_json(job.plan, results, job.provenance), 1) + "\n");
  } else if (!results.cells.empty() || output == "csv") {
    streams::print_text(format_results(job.plan, results, output));
  }
}

void check_gate(double gate, const RunResults& results, CommandState& state) {
  for (const CellResult& cell : results.cells) {
    if (100 * cell.score >= gate) continue;
    state.exit_code = kGateMissed;
    streams::note("score gate missed: {} scored {:.2f}, --min-score is {}\n", cell.cell.name(), 100 * cell.score, gate);
  }
}

// Says now and then how far it is: the weights of large models take a while.
std::string hash_weights(const ModelEntry& entry, bool quiet) {
  constexpr double kPause = 10;
  double next = seconds_now() + kPause;
  return weights_hash(entry, [&](int64_t done, int64_t total) {
    if (quiet || seconds_now() < next) return;
    next = seconds_now() + kPause;
    streams::note("weights: {} of {} are read for their fingerprint\n", format_bytes(done), format_bytes(total));
  });
}

// The numerics of the run that goes on in another class.
std::string numerics_before(const RunFlags& flags, const std::string& folder) {
  if (!flags.resume) throw Error(ErrorCode::kUsage, "--other-numerics is for a run that goes on; give --resume too");
  const std::string path = folder + "/" + kPlanFile;
  return file_exists(path) ? read_plan_file(path).plan.value("numerics", "") : "";
}

// Turns flags into a job, runs it and prints what came out.
void run(const RunFlags& flags, CommandState& state) {
  const std::optional<double> gate = parse_gate(flags.min_score);
  SessionOptions options = session_options(flags.engine);
  const RunModel chosen = choose_run_model(flags);
  const ModelEntry& entry = chosen.entry;
  const auto files = open_user_files(flags.user, "run", flags.quiet);  // the plan's tasks and texts
  RunPlan plan = make_plan(flags, chosen, *files);
  const int64_t memory_bytes = memory_limit(flags.engine).bytes;
  SampleSource samples(plan, *chosen.tokenizer, memory_bytes / 8);
  measure_samples(plan, samples);
  options.max_tokens = plan.longest();
  const bool apart = memory_apart(flags.engine);  // the session's memory is not the samples'
  const MemoryPlan memory = check_fits(plan.model, options, flags.engine, apart ? 0 : sample_bytes(options.max_tokens));
  samples.keep_at_most(apart ? usable_memory().bytes : memory_bytes - memory.total_bytes());
  check_samples(plan, samples);
  const Model model = load_model(entry, plan.model);
  plan.weights_hash = hash_weights(entry, flags.quiet);
  const std::string folder = flags.out.empty() ? default_folder(flags, plan) : flags.out;
  if (flags.other_numerics) plan.numerics_before = numerics_before(flags, folder);
  RunDirectory directory =
      flags.resume ? RunDirectory::resume(folder, plan, utc_now()) : RunDirectory::begin(folder, plan, utc_now());
  Progress progress(stderr, flags.quiet, rewrites_lines(stderr), plan, [&](int64_t tokens) {
    Work work;
    const Flops cost = prefill_cost(plan.model, tokens);
    for (const Flops::Item& item : cost.items()) work.push_back(item.amount);
    return work;
  });
  SessionSubjects subjects(entry.name, model, options, plan.model.eos_token_id, num_threads(),
                           apart ? memory_bytes : memory_bytes - samples.kept_bytes());
  Job job{plan, *chosen.tokenizer, samples, subjects, directory, progress};
  job.provenance = make_provenance(device_text(plan.device), kernels_of(flags.engine).name, recorded_command(state.words));
  const Expected before = expected(plan, subjects, options);
  record(before, job.provenance);
  job.check_stop = stop_if_interrupted;
  std::vector<std::string> notes = checkpoint_notes(plan.model, model);
  notes.insert(notes.end(), chosen.rules.notes.begin(), chosen.rules.notes.end());
  introduce(job, flags, entry, memory, notes);
  catch_signals();
  const RunResults results = run_or_say(job, flags, state);
  progress.say(measured_text(before, results));
  progress.finish();
  print(job, results, flags.output);
  if (state.exit_code == 0 && gate) check_gate(*gate, results, state);
}

}  // namespace

void add_run_command(Program& program, CommandState& state) {
  auto flags = std::make_shared<RunFlags>();
  Command command = program.add_command("run", "Run tasks on a model (the command when none is named)");
  command.last_use_wins();
  add_run_flags(command, *flags);
  command.footer(
      "Example:\n  sala_eval run --task niah_single_1,niah_multikey_1 --len 4k,128k --probe answer --out "
      "results/runs/first\n"
      "Exit code 0 done, 1 below --min-score, 130 interrupted, others in docs/errors.md.");
  command.callback([flags, &state] { run(*flags, state); });
}

}  // namespace sala::eval
