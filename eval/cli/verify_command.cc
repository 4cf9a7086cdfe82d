#include <fmt/format.h>

#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/cli/user_flags.h"
#include "eval/run/checks.h"
#include "eval/run/memory.h"
#include "eval/run/verify.h"
#include "eval/spec/model_tokens.h"
#include "eval/spec/plan_file.h"
#include "eval/subject/session_subject.h"
#include "eval/util/columns.h"
#include "eval/util/files.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"

namespace sala::eval {
namespace {

constexpr int kDiffers = 1;

struct VerifyFlags {
  std::string run, model, tokenizer;
  VerifyChoice choice;
  bool quiet = false;
  EngineFlags engine;
  UserFlags user;
};

SavedPlan read_saved(const std::string& path) {
  if (!file_exists(path)) throw Error(ErrorCode::kIo, "there is no {}: give the folder of a run", path);
  return read_plan_file(path);
}

// Other kernel sets give the same bytes, `ref` its own.
void choose_kernels(const RunPlan& plan, EngineFlags& engine) {
  const bool ref = plan.kernels == "ref";
  if (ref && engine.kernels == "best") engine.kernels = "ref";
  if ((engine.kernels == "ref") != ref)
    throw Error(ErrorCode::kUsage, "--kernels {}: the run was made with {}, whose results have other bytes; leave it out",
                engine.kernels, ref ? "the kernels ref" : "kernels that are not ref");
}

void check_tokenizer(const Tokenizer& tokenizer, const SavedPlan& saved, const std::string& path) {
  const std::string was = saved.plan.value("tokenizer_hash", "");
  if (tokenizer.hash() != was)
    throw Error(ErrorCode::kConfig, "{}: the run's tokenizer has the hash {}, this one {}; give --tokenizer", path, was,
                tokenizer.hash());
}

std::string what_was_run(const RunPlan& plan, int64_t done, int64_t planned) {
  std::string words = fmt::format("{} of {}", plan.sample_count(), counted(done, "finished sample"));
  if (done < planned) words += fmt::format(" ({} planned)", planned);
  return words;
}

// Which sample differs first and how; empty when none does.
std::string run_again(const VerifyFlags& flags, const RunPlan& plan, const Tokenizer& tokenizer, SampleSource& samples,
                      Subject& subject, const RunDirectory& directory) {
  int64_t number = 0;
  for (const Cell& cell : plan.cells)
    for (const int64_t index : cell.samples) {
      const SampleRecord& was = *directory.find(cell, index);
      if (!flags.quiet) streams::note("verify: {} of {}: {}\n", ++number, plan.sample_count(), was.id);
      const Answered now = answer_sample(plan, tokenizer, cell, index, samples.take(cell, index), subject);
      const std::string found = first_difference({was, directory.arrays(was)}, now);
      if (!found.empty()) return fmt::format("{}: {}", was.id, found);
    }
  return "";
}

void verify(VerifyFlags flags, CommandState& state) {
  const std::string path = flags.run + "/" + kPlanFile;
  const SavedPlan saved = read_saved(path);
  const auto files = open_user_files(flags.user, "verify", flags.quiet);
  RunPlan plan = plan_again(saved.plan, *files, path);
  const int64_t planned = plan.sample_count();
  const RunDirectory directory = RunDirectory::read(flags.run, plan);
  const auto done = static_cast<int64_t>(directory.records().size());
  if (done == 0) throw Error(ErrorCode::kUsage, "{} has no finished sample", flags.run);
  choose_samples(plan, directory, flags.choice);
  flags.engine.device = plan.device;
  flags.engine.dtype = plan.numerics == Numerics::kBf16 ? "bf16" : "fp32";
  choose_kernels(plan, flags.engine);
  SessionOptions options = session_options(flags.engine);
  const ModelEntry entry = choose_model({flags.model.empty() ? plan.model_name : flags.model, "", "", "", ""});
  const std::string weights = weights_hash(entry), weights_before = saved.plan.value("weights_hash", "");
  const auto differs = [&](const std::string& what) {
    streams::print_text("differs: " + what + "\n");
    state.exit_code = kDiffers;
  };
  if (weights != weights_before)
    return differs(fmt::format("the weights: the fingerprint of {} is {}, was {}", entry.name, weights, weights_before));
  const auto tokenizer = model_tokenizer(entry, flags.tokenizer);
  check_tokenizer(*tokenizer, saved, path);
  check_heads(entry, plan.model, flags.engine);
  const int64_t memory_bytes = memory_limit(flags.engine).bytes;
  SampleSource samples(plan, *tokenizer, memory_bytes / 8);
  measure_samples(plan, samples);
  options.max_tokens = plan.longest();
  check_fits(plan.model, options, flags.engine, memory_apart(flags.engine) ? 0 : sample_bytes(options.max_tokens));
  const Model model = load_model(entry, plan.model);
  SessionSubjects subjects(entry.name, model, options, plan.model.eos_token_id, num_threads(), memory_bytes);
  const std::unique_ptr<Subject> subject = subjects.open(options.max_tokens, 0, 1);
  const std::string found = run_again(flags, plan, *tokenizer, samples, *subject, directory);
  if (!found.empty()) return differs(found);
  streams::print_text(fmt::format("identical: {}\n", what_was_run(plan, done, planned)));
}

}  // namespace

void add_verify_command(Program& program, CommandState& state) {
  auto flags = std::make_shared<VerifyFlags>();
  Command command = program.add_command("verify", "Make and run samples of a finished run again, and compare");
  command.add_option("RUN", flags->run, "Folder of the run; nothing in it is changed").type_name("DIR").required();
  const char* which = "Which samples";
  command
      .add_option("--samples", flags->choice.samples,
                  "Samples of each task and length: a spot check, the same ones every time")
      .check(whole_number(1, 1000000))
      .type_name("N")
      .show_default()
      .group(which);
  command.add_option("--id", flags->choice.ids, "Ids of samples to make again; as samples.jsonl has them")
      .type_name("ID,...")
      .split_at(',')
      .group(which);
  command.add_flag("--all", flags->choice.all, "Every finished sample").group(which);
  const char* found = "Where things are now";
  command.add_option("--model", flags->model, "The model: name or directory [as the run names it]")
      .type_name("NAME|DIR")
      .group(found);
  add_tokenizer_flag(command, flags->tokenizer, "; in place of the model's own").group(found);
  command.add_flag("--quiet", flags->quiet, "No progress on stderr");
  add_user_flags(command, flags->user, false);
  add_effort_flags(command, flags->engine, "Engine (none of these changes a result)");
  command.footer(
      "Example:\n  sala_eval verify results/runs/first --threads 1 --kernels portable\n"
      "Exit code 0 identical, 1 something differs, others in docs/errors.md.");
  command.callback([flags, &state] {
    if (flags->choice.all && !flags->choice.ids.empty()) throw Error(ErrorCode::kUsage, "--all and --id: give either");
    verify(*flags, state);
  });
}

}  // namespace sala::eval
