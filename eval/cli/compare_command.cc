#include <fmt/format.h>

#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/study/compare.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/tasks/task.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

struct CompareFlags {
  std::string a, b, tasks, output = "table";
};

// Comma list of sources, one a training.
Side side_of(const std::string& list) {
  Side side;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) side.push_back(read_answers(list.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (side.empty()) throw Error(ErrorCode::kUsage, "'{}' names nothing to compare", list);
  return side;
}

void run_comparison(const CompareFlags& flags) {
  std::vector<std::string> names;
  if (!flags.tasks.empty())
    for (const tasks::Task* task : tasks::resolve_tasks(flags.tasks)) names.emplace_back(task->name());
  const Side a = side_of(flags.a);
  const Comparison made = flags.b.empty() ? summarise(a, names) : compare(a, side_of(flags.b), names);
  streams::print_text(show_table(made.table, made.sentences, flags.output));
}

}  // namespace

void add_compare_command(Program& program) {
  auto flags = std::make_shared<CompareFlags>();
  Command command = program.add_command("compare", "Compare two models on the same samples");
  const char* what =
      "A run's folder, a file of samples (JSONL), or FILE:RUN in a file of many runs; a comma list is several "
      "trainings of one model";
  command.add_option("A", flags->a, what).type_name("SOURCE").required();
  command.add_option("B", flags->b, "The other one; without it: A alone, with its intervals").type_name("SOURCE");
  command.add_option("--task", flags->tasks, "Comma list of tasks and groups [all that both have]").type_name("LIST");
  add_output_flag(command, flags->output, "Results");
  command.footer(
      "Example:\n  sala_eval compare results/runs/niah-4k-sala-tiny results/runs/niah-4k-full-tiny\n"
      "  sala_eval compare results/family:sala-tiny results/family:full-tiny --task niah,vt\n"
      "  sala_eval compare runs/sala,runs/sala-s2             # one model, two trainings: means and intervals\n"
      "A - B is in points of percent. An interval that holds 0 does not tell the two apart (docs/compare.md).");
  command.callback([flags] { run_comparison(*flags); });
}

}  // namespace sala::eval
