#include "eval/cli/run_flags.h"

#include <algorithm>
#include <utility>

#include "eval/observe/statistic.h"
#include "sala/core/error.h"

namespace sala::eval {

void add_run_flags(Command& command, RunFlags& flags) {
  const char *what = "What to run", *results = "Results";
  command.add_option("--task", flags.tasks, "Comma list of tasks and groups: ruler, niah, niah_single_1, ...")
      .type_name("LIST")
      .required()
      .group(what);
  command.add_option("--len", flags.lengths, "Lengths in tokens: 4k,128k or 4k-2048k*2")
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
      .add_option("--probe", flags.probe,
                  "answer: record what the layers did for the answer: selection, attention, hidden states")
      .one_of({"none", "answer"})
      .show_default()
      .group(what);
  add_select_flag(command, flags.select, what);
  add_tokenizer_flag(command, flags.tokenizer, "; in place of the model's own").group(what);
  add_out_flag(command, flags.out, "a folder [results/runs/TASKS-LENGTHS-MODEL, numbered]", "DIR").group(results);
  command.add_flag("--resume", flags.resume, "Go on with the run in --out").group(results);
  command
      .add_flag("--other-numerics", flags.other_numerics,
                "With --resume: go on although --device or --dtype are not those of the run")
      .group(results);
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

std::vector<Cell> cells_of(const RunFlags& flags, const tasks::UserFiles& files) {
  if (!flags.sample.empty() && flags.samples > 0) throw Error(ErrorCode::kUsage, "--samples and --sample: give either");
  std::vector<int64_t> lengths = tasks::parse_lengths(flags.lengths);
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  const std::vector<const tasks::Task*> chosen = tasks::resolve_tasks(flags.tasks, files.tasks());
  std::vector<Cell> cells;
  for (const int64_t length : lengths) {
    std::vector<int64_t> samples = flags.sample.empty() ? std::vector<int64_t>{} : parse_indexes(flags.sample);
    if (samples.empty())
      for (int64_t i = 0; i < (flags.samples > 0 ? flags.samples : default_samples(length)); ++i) samples.push_back(i);
    for (const tasks::Task* task : chosen) cells.push_back({task, length, samples});
  }
  return cells;
}

RunModel choose_run_model(const RunFlags& flags) {
  RunModel chosen;
  chosen.entry = choose_model(flags.model.choice);
  chosen.tokenizer = model_tokenizer(chosen.entry, flags.tokenizer);
  chosen.config = configured(chosen.entry, flags.model);
  check_heads(chosen.entry, chosen.config, flags.engine);
  chosen.rules = token_rules(chosen.entry, chosen.config, *chosen.tokenizer, flags.tokenizer);
  return chosen;
}

RunPlan make_plan(const RunFlags& flags, const RunModel& chosen, const tasks::UserFiles& files) {
  RunPlan plan;
  plan.model_name = chosen.entry.name;
  plan.model = chosen.config;
  plan.switches = config_switches(chosen.entry.config, plan.model);
  plan.select = select_of_name(flags.select);
  plan.tokenizer_kind = chosen.tokenizer->kind();
  plan.tokenizer_hash = chosen.tokenizer->hash();
  plan.seed = flags.seed;
  plan.mode = flags.user.mode();
  plan.corpora = files.corpora();
  plan.numerics = flags.engine.dtype == "bf16" ? Numerics::kBf16 : Numerics::kFp32;
  plan.device = flags.engine.device;
  plan.kernels = flags.engine.kernels == "ref" ? "ref" : "fast";  // every other set gives the same bytes
  plan.probe_answers = flags.probe == "answer";
  if (plan.probe_answers)
    for (const StatisticKind& kind : statistics()) plan.statistics.push_back(kind.name);
  plan.prefix = chosen.rules.prefix;
  plan.model.eos_token_id = chosen.rules.stops;
  plan.cells = cells_of(flags, files);
  return plan;
}

}  // namespace sala::eval
