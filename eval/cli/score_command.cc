#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/cli/user_flags.h"
#include "eval/report/report.h"
#include "eval/score/score.h"
#include "eval/spec/models.h"
#include "eval/spec/provenance.h"
#include "eval/util/columns.h"
#include "eval/util/files.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

struct ScoreFlags {
  std::vector<std::string> paths;
  std::string tasks, length, format, model, tokenizer, out, samples_out, output = "table";
  UserFlags user;
  int64_t samples = 0;
  int threads = 0;
  bool partial = false, quiet = false;
};

void add_flags(Command& command, ScoreFlags& flags) {
  const char *what = "What to score", *results = "Results";
  command.add_option("files", flags.paths, "Files of predictions (JSONL), or folders of them")
      .type_name("FILE|DIR ...")
      .required();
  command.add_option("--task", flags.tasks, "Comma list of tasks and groups; others are passed over [all]")
      .type_name("LIST")
      .group(what);
  std::vector<std::string> formats;
  for (const PredictionFormat format : kPredictionFormats) formats.emplace_back(format_name(format));
  command.add_option("--format", flags.format, "Format of the files [by their fields]").one_of(formats).group(what);
  command.add_option("--len", flags.length, "Lengths in tokens; here one, where the files do not say it: 128k")
      .type_name("LIST")
      .group(what);
  command.add_option("--samples", flags.samples, "Samples of each task and length; fewer or more are a problem")
      .check(whole_number(1, 100000000))
      .type_name("N")
      .group(what);
  command.add_flag("--partial", flags.partial, "Samples may be missing").group(what);
  add_tokenizer_flag(command, flags.tokenizer, "; makes samples again from their ids [the family's]").group(what);
  add_user_flags(command, flags.user, false);
  command.add_option("--model", flags.model, "The model; here its name, for the report: one for all files")
      .type_name("NAME")
      .group(results);
  add_out_flag(command, flags.out, "a folder with summary.json and summary.md", "DIR").group(results);
  command.add_option("--samples-out", flags.samples_out, "File for the score of every sample, one JSON object a line")
      .type_name("FILE")
      .group(results);
  add_output_flag(command, flags.output, results);
  add_threads_flag(command, flags.threads, results);
  command.add_flag("--quiet", flags.quiet, "No progress on stderr; no notes either").group(results);
}

ScoreRequest request_of(const ScoreFlags& flags, const Tokenizer* bins, const tasks::UserFiles& user) {
  ScoreRequest request;
  request.paths = flags.paths;
  if (!flags.tasks.empty()) request.tasks = tasks::resolve_tasks(flags.tasks, user.tasks());
  if (!flags.format.empty()) request.format = format_of_name(flags.format);
  if (!flags.length.empty()) {
    const std::vector<int64_t> lengths = tasks::parse_lengths(flags.length);
    if (lengths.size() != 1) throw Error(ErrorCode::kUsage, "--len is {} lengths here, expected one", lengths.size());
    request.length = lengths[0];
  }
  request.samples = flags.samples;
  request.partial = flags.partial;
  request.one_model = !flags.model.empty();
  request.user = &user;
  request.bins = bins;
  request.open_tokenizer = [&flags] {
    return open_tokenizer(flags.tokenizer.empty() ? models_folder() + "/tokenizer.model" : flags.tokenizer);
  };
  return request;
}

ReportSubject subject_of(const ScoreFlags& flags, const Scored& scored) {
  ReportSubject subject;
  subject.model = flags.model.empty() ? "predictions" : flags.model;
  subject.timed = false;
  subject.legend =
      fmt::format("Scores in percent, 95% Wilson intervals; nulls: empty answers. Samples: {}. What answered them is {}.",
                  fmt::join(scored.sources, ", "), flags.model.empty() ? "not known here" : flags.model);
  auto files = nlohmann::ordered_json::array();
  for (const ScoredFile& file : scored.files)
    files.push_back({{"path", file.path},
                     {"format", format_name(file.format)},
                     {"lines", file.lines},
                     {"scored", file.scored},
                     {"passed_over", file.skipped}});
  subject.plan = {{"schema", "sala.score/1"}, {"samples", scored.sources}, {"files", files}};
  subject.config = {{"model", "predictions"}, {"model_args", flags.model}};
  return subject;
}

// A folder that holds results keeps them.
void check_free(const std::string& folder) {
  for (const char* name : {"summary.json", "summary.md", "run.json", "run.h5"})
    if (file_exists(folder + "/" + name))
      throw Error(ErrorCode::kUsage, "--out {} already holds {}; choose another folder", folder, name);
}

void say(const std::vector<std::string>& sentences, const char* kind) {
  constexpr std::size_t kMostShown = 20;
  for (std::size_t i = 0; i < std::min(kMostShown, sentences.size()); ++i)
    streams::note("score: {}{}\n", kind, sentences[i]);
  if (sentences.size() > kMostShown)
    streams::note("score: {}{} more such lines are left out here; --out writes all to summary.json\n", kind,
                  sentences.size() - kMostShown);
}

void score(const ScoreFlags& flags, const CommandState& state) {
  set_num_threads(flags.threads);
  if (!flags.out.empty()) check_free(flags.out);
  if (!flags.samples_out.empty() && file_exists(flags.samples_out))
    throw Error(ErrorCode::kUsage, "--samples-out {} is there already; choose another file", flags.samples_out);
  // --bins counts the rows of predictions too, whether or not the user's rows are given.
  const std::string& counter = flags.user.paths.bins;
  const std::unique_ptr<Tokenizer> bins = counter.empty() ? nullptr : open_tokenizer(counter);
  UserFlags files = flags.user;
  if (files.paths.mrcr.empty()) files.paths.bins.clear();
  const auto user = open_user_files(files, "score", flags.quiet);
  const ScoreRequest request = request_of(flags, bins.get(), *user);
  if (!flags.tokenizer.empty()) request.open_tokenizer();  // a wrong name is one error, not one a line
  const Scored scored = score_predictions(request);
  const RunResults results = summarize(scored.cells, scored.records);
  const ReportSubject subject = subject_of(flags, scored);
  if (!flags.quiet) say(scored.warnings, "note: ");
  say(scored.problems, "");
  Provenance provenance = make_provenance("none", "none", shell_quoted(state.words));
  provenance.emplace_back("written", utc_now());
  nlohmann::ordered_json json = summary_json(subject, results, provenance);
  json["sala"]["problems"] = scored.problems;
  json["sala"]["notes"] = scored.warnings;
  const std::string json_text = text::write_json(json, 1) + "\n";
  if (!flags.samples_out.empty()) write_atomically(flags.samples_out, sample_lines(scored));
  if (!flags.out.empty()) {
    make_folders(flags.out);
    write_atomically(flags.out + "/summary.json", json_text);
    write_atomically(flags.out + "/summary.md", format_results(subject, results, "md"));
  }
  streams::print_text(flags.output == "json" ? json_text : format_results(subject, results, flags.output));
  if (!scored.problems.empty())
    throw Error(
        ErrorCode::kFormat, "{} above; {} scored",
        scored.problems.size() == 1 ? "1 problem is named" : fmt::format("{} problems are named", scored.problems.size()),
        counted(static_cast<int64_t>(scored.records.size()), "prediction"));
}

}  // namespace

void add_score_command(Program& program, CommandState& state) {
  auto flags = std::make_shared<ScoreFlags>();
  Command command = program.add_command("score", "Score predictions that another program wrote");
  add_flags(command, *flags);
  command.footer(
      "Example:\n  sala_eval score --task ruler results/llama/synthetic/131072/pred\n"
      "  sala_eval score samples_niah_single_1_2026-01-01T00-00-00.jsonl -o csv\n"
      "Formats are those of RULER, lm-eval (--log_samples), openai/mrcr rows with a `response`, and samples.jsonl of a run\n"
      "(docs/file_formats.md). Exit code 6 when some predictions could not be scored: the rest is.");
  command.callback([flags, &state] { score(*flags, state); });
}

}  // namespace sala::eval
