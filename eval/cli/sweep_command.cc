#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "eval/cli/commands.h"
#include "eval/cli/machine_rates.h"
#include "eval/cli/model_flags.h"
#include "eval/cli/sweep_cells.h"
#include "eval/run/memory.h"
#include "eval/run/progress.h"
#include "eval/spec/plan_file.h"
#include "eval/spec/provenance.h"
#include "eval/study/this_machine.h"
#include "eval/sweep/claim.h"
#include "eval/sweep/folder.h"
#include "eval/sweep/pool.h"
#include "eval/sweep/slurm.h"
#include "eval/sweep/table.h"
#include "eval/util/clock.h"
#include "eval/util/columns.h"
#include "eval/util/files.h"
#include "eval/util/interrupt.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sim/text/near.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr int kNotAllDone = 1, kSweepInterrupted = 130;
const std::vector<std::string> kActions = {"status", "collect", "merge"};

struct SweepFlags {
  std::vector<std::string> words;
  std::string out, launcher = "local", shard, cells;
  int64_t jobs = 0;
  int threads = 0;
  bool dry_run = false, wait = false, quiet = false;
};

void say(const SweepFlags& flags, const std::string& line) {
  if (!flags.quiet) streams::note("{}\n", line);
}

// How many cells there are of each status, and what went wrong in how many.
struct Tally {
  std::map<CellStatus, int64_t> counts;
  std::map<std::string, int64_t> errors;  // "failed: [memory] ..."
  void add(const CellState& state) {
    ++counts[state.status];
    if (!state.error.empty()) ++errors[fmt::format("{}: {}", status_name(state.status), state.error)];
  }
  int64_t of(CellStatus status) const { return counts.contains(status) ? counts.at(status) : 0; }
  std::string text() const {  // "40 done, 3 partial"
    std::vector<std::string> parts;
    for (const auto& [status, count] : counts) parts.push_back(fmt::format("{} {}", count, status_name(status)));
    return fmt::format("{}", fmt::join(parts, ", "));
  }
  std::string error_lines() const {
    constexpr std::size_t kMost = 20, kMostBytes = 250;
    std::string text;
    std::size_t shown = 0;
    for (const auto& [error, count] : errors) {
      if (shown++ == kMost)
        return text +
               fmt::format("  and {} more, in cells.csv\n", counted(static_cast<int64_t>(errors.size() - kMost), "reason"));
      text += fmt::format("  {} {}\n", counted(count, "cell"), text::printable(error, kMostBytes));
    }
    return text;
  }
};

Tally tally(const std::vector<CellState>& states) {
  Tally all;
  for (const CellState& state : states) all.add(state);
  return all;
}

void finish(const std::vector<CellState>& states, const SweepFolder& folder, CommandState& state) {
  const Tally all = tally(states);
  streams::print("{}: {} ({})\n{}{}\n", folder.path(), counted(static_cast<int64_t>(states.size()), "cell"), all.text(),
                 all.error_lines(), folder.file("cells.csv"));
  if (state.exit_code == 0 && all.of(CellStatus::kDone) < static_cast<int64_t>(states.size())) state.exit_code = kNotAllDone;
}

void collect(const SweepFolder& folder, CommandState& state) {
  finish(write_table(folder, all_cells(folder.read())), folder, state);
}

void show_status(const SweepFolder& folder) {
  for (const Sweep& sweep : folder.read()) {
    Tally all;
    for (const SweepCell& cell : sweep.cells) all.add(folder.state(cell));
    streams::print("{}: {} ({})\n{}", sweep.name, counted(static_cast<int64_t>(sweep.cells.size()), "cell"), all.text(),
                   all.error_lines());
    const std::optional<SlurmJob> job = last_job(folder, sweep.name);
    if (!job) continue;
    try {
      const std::string queue = in_queue(*job);
      streams::print("Slurm job {}: {}\n", job->id, queue.empty() ? "ended" : queue);
    } catch (const Error& problem) {
      streams::print("Slurm job {}: {}\n", job->id, problem.what());
    }
  }
  for (const std::string& line : describe_claims(folder.path())) streams::print("computing: {}\n", line);
}

void merge_folders(const SweepFlags& flags, CommandState& state) {
  const std::vector<std::string> from(flags.words.begin() + 1, flags.words.end());
  if (flags.out.empty()) throw Error(ErrorCode::kUsage, "merge needs --out, the folder that the others are put into");
  const SweepFolder to(flags.out);
  const Claim claim(
      flags.out, {"merge", "", {}}, [&](const std::string& line) { say(flags, line); }, stop_if_interrupted);
  const Merged merged = merge(from, to);
  streams::print("{} copied\n", counted(merged.copied, "cell"));
  collect(to, state);
  if (merged.problems.empty()) return;
  for (std::size_t i = 1; i < merged.problems.size(); ++i) streams::note("{}\n", merged.problems[i]);
  throw Error(ErrorCode::kFormat, "{} not merged, all others are: {}",
              counted(static_cast<int64_t>(merged.problems.size()), "cell"), merged.problems[0]);
}

// A sweep as it is run here.
struct Request {
  const SweepFlags& flags;
  SweepFile file;
  SweepCells planned;
  SweepFolder folder;
  std::vector<CellState> states;  // of planned.cells
  int64_t jobs = 1;
  int threads = 1;                        // of each job
  std::optional<DeviceRates> rates = {};  // of each job; nothing when no model is here to measure with

  // Of reading the prompts of so many samples of cell i, in one job; 0 = not known.
  double seconds(std::size_t i, std::size_t samples) const {
    return rates ? static_cast<double>(samples) * seconds_of(planned.works[i], *rates) : 0;
  }
  std::string cells() const { return cells_hash(planned.cells); }
};

bool must_run(const CellState& state) { return state.status != CellStatus::kDone && state.status != CellStatus::kRefused; }

Request prepare(const SweepFlags& flags) {
  set_num_threads(flags.threads);
  const int64_t cores = num_threads();
  const int64_t jobs = flags.jobs > 0 ? flags.jobs : cores;
  const int threads = static_cast<int>(std::max<int64_t>(1, cores / jobs));
  SweepFile file = read_sweep_file(flags.words[0], axis_flags());
  SweepCells planned = cells_of_sweep(file, threads);
  SweepFolder folder(flags.out.empty() ? "results/sweeps/" + file.name : flags.out);
  if (file_exists(folder.file(kPlanFile)))
    throw Error(ErrorCode::kUsage, "{} holds a run, which has files of the same names; choose another --out", folder.path());
  Request request{flags, std::move(file), std::move(planned), std::move(folder), {}, jobs, threads};
  for (const SweepCell& cell : request.planned.cells) request.states.push_back(request.folder.state(cell));
  const bool any = std::any_of(request.states.begin(), request.states.end(), must_run);
  if (!any) return request;
  SessionOptions options = request.planned.options;
  options.threads = threads;
  const bool plans = flags.launcher == "slurm" || (!flags.quiet && flags.shard.empty());
  request.rates = plans ? machine_rates(options) : known_machine(options);
  return request;
}

// As the folder is now.
void read_states(Request& request) {
  for (std::size_t i = 0; i < request.states.size(); ++i)
    if (request.states[i].status != CellStatus::kDone) request.states[i] = request.folder.state(request.planned.cells[i]);
}

std::string plan_text(const Request& request) {
  Tally all;
  int64_t samples = 0, tokens = 0, most_memory = 0, to_run = 0;
  double seconds = 0;
  for (std::size_t i = 0; i < request.states.size(); ++i) {
    const SweepCell& cell = request.planned.cells[i];
    all.add(request.states[i]);
    if (!must_run(request.states[i])) continue;
    const auto left = static_cast<int64_t>(cell.samples.size() - request.states[i].records.size());
    ++to_run;
    samples += left;
    tokens += left * cell.length;
    seconds += request.seconds(i, static_cast<std::size_t>(left));
    most_memory = std::max(most_memory, cell.memory_bytes);
  }
  std::string text = fmt::format("{}: {} ({})\n", request.file.name,
                                 counted(static_cast<int64_t>(request.states.size()), "cell"), all.text());
  for (const std::string& note : request.planned.notes) text += note + "\n";
  text += all.error_lines();
  if (to_run == 0) return text + "nothing is left to run\n";
  text +=
      fmt::format("to run: {}, {}, {} tokens\n", counted(to_run, "cell"), counted(samples, "sample"), with_commas(tokens));
  text += fmt::format("memory: up to {} a cell, {} free\n", format_bytes(most_memory), format_bytes(usable_memory().bytes));
  if (request.rates)
    text += fmt::format("time: ~ {} with {} at once, by reading the prompts on {}. {}\n",
                        format_seconds(seconds / static_cast<double>(request.jobs)), counted(request.jobs, "cell"),
                        request.rates->name, request.rates->source);
  return text + fmt::format("results: {}\n", request.folder.path());
}

// Places of the cells of each shard.
std::vector<std::vector<std::size_t>> shards_of(const Request& request, int64_t count) {
  std::vector<double> costs;
  for (const SweepCell& cell : request.planned.cells) costs.push_back(cell.flops());
  return pack(costs, static_cast<std::size_t>(count));
}

std::vector<CellWork> work_of(const Request& request, const std::vector<std::size_t>& places) {
  std::vector<CellWork> work;
  for (const std::size_t i : places) {
    const SweepCell& cell = request.planned.cells[i];
    const CellState& state = request.states[i];
    if (!must_run(state)) continue;
    SweepCell whole = cell;  // a run only grows
    whole.ask_for(state.others);
    const double seconds = request.seconds(i, cell.samples.size() - state.records.size());
    work.push_back({&cell, whole.samples, seconds > 0 ? seconds : cell.flops()});
  }
  return work;
}

// How right the plan was.
std::string measured_text(const Request& request, const Ran& ran) {
  return fmt::format("cells took {} in all{}; memory: up to {} a cell, {} planned", format_seconds(ran.seconds),
                     request.rates ? fmt::format(", ~ {} expected for their prompts", format_seconds(ran.cost)) : "",
                     format_bytes(ran.peak_bytes), format_bytes(ran.planned_bytes));
}

void note_interrupt(CommandState& state, const std::string& what) {
  if (!interrupt_requested()) return;
  state.exit_code = kSweepInterrupted;
  streams::note("interrupted; {}. Go on with:\n  {}\n", what, shell_quoted(state.words));
}

void run_here(Request& request, CommandState& state) {
  const SweepFlags& flags = request.flags;
  const Shard shard = flags.shard.empty() ? Shard{} : parse_shard(flags.shard);
  const std::string cells = request.cells();
  if (!flags.cells.empty() && flags.cells != cells)
    throw Error(
        ErrorCode::kUsage,
        "{} has other cells now than the job was submitted with: its file, the models or the program changed; submit "
        "it again",
        request.file.name);
  Claim claim(
      request.folder.path(), {request.file.name, cells, shard}, [&](const std::string& line) { say(flags, line); },
      stop_if_interrupted);
  read_states(request);  // nobody else changes it from here on
  request.folder.write({request.file.name, request.file.text, request.planned.cells});
  const std::vector<std::size_t> places = shards_of(request, shard.count)[static_cast<std::size_t>(shard.index - 1)];
  PoolOptions options;
  options.jobs = request.jobs;
  options.threads = request.threads;
  options.memory_bytes = usable_memory().bytes;
  options.seconds_a_cost = request.rates ? 1 : 0;
  options.quiet = flags.quiet;
  options.alive = [&] { claim.renew(); };
  const Ran ran = run_cells(request.folder, work_of(request, places), options);
  if (ran.seconds > 0) say(flags, measured_text(request, ran));
  note_interrupt(state, "everything is saved");
  if (shard.count == 1) return collect(request.folder, state);  // other shards may be writing
  if (state.exit_code == 0 && ran.failed > 0) state.exit_code = kNotAllDone;
  streams::print("shard {}: {}, {} failed; `sala_eval sweep collect {}` makes the table\n", shard.text(),
                 counted(static_cast<int64_t>(places.size()), "cell"), ran.failed, request.folder.path());
}

// Whether another attempt may end otherwise.
bool may_succeed(const CellState& state) {
  if (state.status != CellStatus::kFailed) return must_run(state) && state.status != CellStatus::kDamaged;
  return may_pass(state);
}

// Half an hour each, at this machine's speed.
int64_t shard_count(const Request& request) {
  constexpr double kSeconds = 1800;
  constexpr int64_t kMost = 1000;  // tasks of an array, where a cluster says nothing else
  double seconds = 0;
  for (std::size_t i = 0; i < request.planned.cells.size(); ++i)
    seconds += request.seconds(i, request.planned.cells[i].samples.size());
  const auto cpus = static_cast<double>(request.file.slurm.cpus);
  const int64_t wanted = request.file.slurm.jobs > 0 ? request.file.slurm.jobs
                         : request.rates             ? static_cast<int64_t>(std::min(1e6, seconds / cpus / kSeconds)) + 1
                                                     : kMost;
  return std::min({wanted, kMost, static_cast<int64_t>(request.planned.cells.size())});
}

// Returns when no task of the job is in the queue, or an interrupt is requested.
void wait_for(const SlurmJob& job, Request& request) {
  constexpr int kMostFailures = 60;  // of Slurm to answer, one after the other
  constexpr double kSayEvery = 30;
  int failures = 0;
  double said = 0;
  while (!interrupt_requested()) {
    try {
      const std::string queue = in_queue(job);
      failures = 0;
      if (queue.empty()) return;
      if (seconds_now() - said > kSayEvery) {
        said = seconds_now();
        read_states(request);
        say(request.flags, fmt::format("Slurm job {}: {}; {}", job.id, queue, tally(request.states).text()));
      }
    } catch (const Error& problem) {
      if (problem.code() != ErrorCode::kIo || ++failures == kMostFailures) throw;
    }
    for (int i = 0; i < 10 && !interrupt_requested(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

SlurmJob submit_shards(const Request& request, const std::vector<int64_t>& shards, int64_t count) {
  int64_t memory = 0;
  for (const SweepCell& cell : request.planned.cells) memory = std::max(memory, cell.memory_bytes);
  const SlurmJob job = submit(request.folder, request.file.name, request.file.slurm, request.cells(), shards, count,
                              memory * request.file.slurm.cpus + (int64_t{256} << 20));
  say(request.flags,
      fmt::format("Slurm job {}: {} of {}", job.id, counted(static_cast<int64_t>(shards.size()), "task"), count));
  return job;
}

// The shards that have a cell of which `is_open` is true.
std::vector<int64_t> open_shards(const Request& request, int64_t count, bool (*is_open)(const CellState&)) {
  const auto packs = shards_of(request, count);
  std::vector<int64_t> open;
  for (std::size_t i = 0; i < packs.size(); ++i)
    if (std::any_of(packs[i].begin(), packs[i].end(), [&](std::size_t cell) { return is_open(request.states[cell]); }))
      open.push_back(static_cast<int64_t>(i) + 1);
  return open;
}

void run_in_slurm(Request& request, CommandState& state) {
  const SweepFlags& flags = request.flags;
  if (!flags.shard.empty()) throw Error(ErrorCode::kUsage, "--shard is for --launcher local: Slurm's tasks are the shards");
  std::optional<SlurmJob> job = last_job(request.folder, request.file.name);
  const std::string queue = job ? in_queue(*job) : "";
  if (queue.empty()) job.reset();
  if (job && job->cells != request.cells())
    throw Error(ErrorCode::kUsage,
                "job {} in Slurm ({}) is of a sweep {} with other cells; wait for its end, or stop it with `scancel {}`",
                job->id, queue, request.file.name, job->words());
  if (job && !flags.wait)
    throw Error(ErrorCode::kUsage, "job {} of this sweep is in Slurm ({}); --wait waits for it, `scancel {}` stops it",
                job->id, queue, job->words());
  request.folder.write({request.file.name, request.file.text, request.planned.cells});
  const int64_t count = job ? job->shards : shard_count(request);
  for (int64_t round = 0; round <= request.file.slurm.requeue; ++round) {
    if (!job) {
      const std::vector<int64_t> shards = open_shards(request, count, round == 0 ? must_run : may_succeed);
      if (shards.empty()) break;
      job = submit_shards(request, shards, count);
    }
    if (!flags.wait)
      return streams::print(
          "submitted. `sala_eval sweep status {0}` shows how far it is, `sala_eval sweep collect {0}` makes the "
          "table; the same command again submits what was not finished\n",
          request.folder.path());
    wait_for(*job, request);
    if (interrupt_requested()) break;
    read_states(request);
    job.reset();
  }
  note_interrupt(state, job ? fmt::format("job {} goes on in Slurm", job->id) : "everything is saved");
  collect(request.folder, state);
}

void sweep(const SweepFlags& flags, CommandState& state) {
  const std::string& what = flags.words[0];
  const bool is_action = std::find(kActions.begin(), kActions.end(), what) != kActions.end();
  if (is_action && flags.words.size() < 2) throw Error(ErrorCode::kUsage, "{} needs the folder of a sweep", what);
  if (what == "merge") return merge_folders(flags, state);
  if (flags.words.size() > (is_action ? 2 : 1))
    throw Error(ErrorCode::kUsage,
                "'{}' is one too many: `sweep FILE.toml`, `sweep status DIR`, `sweep collect DIR`, `sweep merge DIR DIR ... "
                "--out DIR`",
                flags.words.back());
  if (what == "status") return show_status(SweepFolder(flags.words[1]));
  if (what == "collect") return collect(SweepFolder(flags.words[1]), state);
  const bool slurm = flags.launcher == "slurm";
  if (flags.wait && !slurm) throw Error(ErrorCode::kUsage, "--wait is for --launcher slurm; local runs are waited for");
  if (!file_exists(what)) throw Error(ErrorCode::kIo, "there is no file {}{}", what, text::near_it(what, kActions));
  Request request = prepare(flags);
  if (flags.dry_run) return streams::print_text(plan_text(request));
  if (!flags.quiet) streams::put(stderr, plan_text(request));
  catch_signals();
  slurm ? run_in_slurm(request, state) : run_here(request, state);
}

}  // namespace

void add_sweep_command(Program& program, CommandState& state) {
  auto flags = std::make_shared<SweepFlags>();
  Command command =
      program.add_command("sweep", "Run a grid of models, switches, tasks and lengths; one table of the results");
  const char *how = "How to run", *results = "Results";
  command
      .add_option("what", flags->words,
                  "The file of a sweep; or `status DIR`, `collect DIR` (makes the table), `merge DIR ... --out DIR`")
      .type_name("FILE.toml|status DIR|...")
      .required();
  add_out_flag(command, flags->out, "a folder, which several sweeps may share [results/sweeps/NAME]", "DIR").group(results);
  command.add_flag("--dry-run", flags->dry_run, "Only say what would run: cells, tokens, memory, time").group(how);
  command.add_option("--launcher", flags->launcher, "Where cells run: processes on this machine, or jobs of Slurm")
      .one_of({"local", "slurm"})
      .show_default()
      .group(how);
  command.add_flag("--wait", flags->wait, "With slurm: wait, submit again what was not finished, make the table").group(how);
  command.add_option("--shard", flags->shard, "Only the I-th of N parts of equal cost, for other schedulers: 2/8")
      .type_name("I/N")
      .group(how);
  command
      .add_option("--cells", flags->cells, "Refuse to begin when the sweep's cells are not those with this hash; for jobs")
      .type_name("HASH")
      .group(how);
  command.add_option("--jobs", flags->jobs, "Cells at once [one a thread]")
      .check(whole_number(1, 4096))
      .type_name("N")
      .group(how);
  add_threads_flag(command, flags->threads, how);
  command.add_flag("--quiet", flags->quiet, "No plan and no progress on stderr").group(results);
  command.footer(
      "A file says which flags of `run` take which values; each combination, task and length is a cell:\n"
      "  [fixed]\n  task = \"niah\"\n  samples = 10\n"
      "  [grid]\n  len = [\"4k\", \"32k\"]\n  model = [\"sala-tiny\", \"rope-tiny\"]\n  topk = [8, 12]\n"
      "Examples:\n"
      "  sala_eval sweep configs/sweeps/topk.toml --dry-run\n"
      "  sala_eval sweep configs/sweeps/topk.toml                          begins, and goes on\n"
      "  sala_eval sweep status results/sweeps/topk\n"
      "  sala_eval sweep configs/sweeps/topk.toml --launcher slurm --wait\n"
      "Exit code 0 all cells done, 1 not all, 130 interrupted, others in docs/errors.md. More in docs/sweeps.md.");
  command.callback([flags, &state] { sweep(*flags, state); });
}

}  // namespace sala::eval
