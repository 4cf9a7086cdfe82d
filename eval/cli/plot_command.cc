#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/common_flags.h"
#include "eval/spec/model_entry.h"
#include "eval/util/process.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

struct PlotFlags {
  std::string kind, out, width = "column", tasks, members, title;
  std::vector<std::string> paths;
  bool by_task = false, over_training = false, as_trained = false;
};

void plot(const PlotFlags& flags) {
  const char* chosen = std::getenv("SALA_PYTHON");
  const std::string python = chosen != nullptr && *chosen != 0 ? chosen : "python3";
  std::vector<std::string> words = {python,
                                    "-B",
                                    shared_path("analysis/plot.py"),
                                    flags.kind,
                                    "--out=" + flags.out,
                                    "--width=" + flags.width,
                                    "--task=" + flags.tasks,
                                    "--member=" + flags.members,
                                    "--title=" + flags.title};
  if (flags.by_task) words.emplace_back("--by-task");
  if (flags.over_training) words.emplace_back("--over-training");
  if (flags.as_trained) words.emplace_back("--as-trained");
  words.emplace_back("--");
  words.insert(words.end(), flags.paths.begin(), flags.paths.end());
  become(words);
}

}  // namespace

void add_plot_command(Program& program) {
  auto flags = std::make_shared<PlotFlags>();
  Command command = program.add_command("plot", "Draw figures of scores for a paper (needs python3-matplotlib)");
  add_kind(command, "kind", flags->kind,
           {{{"curves"}, "score against length"},
            {{"ablation"}, "against the ratio of softmax to linear layers, a line an encoding"},
            {{"heatmap"}, "by depth and length"},
            {{"recall"}, "of the selection, against length"},
            {{"cost"}, "against seconds"},
            {{"dilution"}, "attention on the evidence"},
            {{"serving"}, "the paper's seconds beside the cost model's, from `paper fig2 -o csv`"}});
  command
      .add_option(
          "paths", flags->paths,
          "Folders of runs, sweeps or `score --out`, tables (cells.csv, results/family/headline.csv), or folders of these")
      .type_name("PATH ...")
      .required();
  command.add_option("--out", flags->out, "What is written: NAME.png, NAME.svg and NAME.pdf").type_name("NAME").required();
  command.add_option("--width", flags->width, "Of the paper: 3.33 or 6.9 inches").one_of({"column", "page"}).show_default();
  command.add_option("--task", flags->tasks, "Comma list of tasks and groups: niah is all of its eight [all]")
      .type_name("LIST");
  command.add_option("--member", flags->members, "Only these models").type_name("LIST");
  command.add_flag("--by-task", flags->by_task, "A panel for each task (curves, recall)");
  command.add_flag("--over-training", flags->over_training, "Length / training length on the axis (curves, recall)");
  command.add_flag("--as-trained", flags->as_trained, "Without what --select and switches changed");
  command.add_option("--title", flags->title, "What the caption begins with").type_name("TEXT");
  command.footer(
      "Example:\n  sala_eval plot curves results/runs/* --task niah,vt --over-training --out curves\n"
      "  sala_eval plot ablation results/sweeps/hype_ratio --width page --out ablation\n"
      "Every figure has a caption with tasks, samples and intervals (docs/plots.md). scripts/setup plots installs what it\n"
      "needs; SALA_PYTHON names the Python that has it.");
  command.callback([flags] { plot(*flags); });
}

}  // namespace sala::eval
