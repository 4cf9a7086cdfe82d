#include <fmt/format.h>

#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/common_flags.h"
#include "eval/cli/model_flags.h"
#include "eval/spec/model_entry.h"
#include "eval/study/paper_figures.h"
#include "eval/util/files.h"
#include "eval/util/streams.h"

namespace sala::eval {
namespace {

struct PaperFlags {
  std::string what, family = "tiny", output = "table";
  std::vector<std::string> scores;
};

CsvTable paper_csv(const std::string& name) { return read_csv(shared_path("configs/paper/" + name + ".csv")); }

// The family's scores in this repository: those made for these tables, and the older ones.
std::vector<CsvTable> own_scores() {
  std::vector<CsvTable> tables = {read_csv(shared_path("results/family/headline.csv"))};
  const std::string made = tables[0].path.substr(0, tables[0].path.rfind("/family/")) + "/paper/scores.csv";
  if (file_exists(made)) tables.push_back(read_csv(made));
  return tables;
}

PaperTable table_of(const PaperFlags& flags) {
  if (flags.what == "table1" || flags.what == "table2")
    return paper_as_published(paper_csv(flags.what), flags.what.back() - '0');
  if (flags.what == "fig2")
    return fit_figure(paper_csv("fig2"), read_device(shared_path("configs/devices/a6000d.toml"))).shown;
  if (flags.what == "fig3")
    return fit_figure(paper_csv("fig3"), read_device(shared_path("configs/devices/rtx5090.toml"))).shown;
  std::vector<CsvTable> tables;
  for (const std::string& path : flags.scores) tables.push_back(read_csv(path));
  return paper_scores(paper_csv(flags.what), paper_csv("table4"),
                      FamilyScores(tables.empty() ? own_scores() : tables, flags.family));
}

}  // namespace

void add_paper_command(Program& program) {
  auto flags = std::make_shared<PaperFlags>();
  Command command = program.add_command("paper", "The paper's tables and figures, with ours beside them");
  add_kind(command, "what", flags->what,
           {{{"table3", "table4"}, "scores, the paper's and a family's"},
            {{"fig2", "fig3"}, "seconds, the paper's and the cost model's"},
            {{"table1", "table2"}, "as published"}});
  command
      .add_option("scores", flags->scores,
                  "Tables of cells with the family's scores: a sweep's cells.csv, results/family/headline.csv "
                  "[those in results/]")
      .type_name("CSV ...");
  command.add_option("--family", flags->family, "Members sala-NAME, dense-NAME, linear-NAME, full-NAME")
      .type_name("NAME")
      .show_default();
  add_output_flag(command, flags->output, "Results");
  command.footer(
      "Example:\n  sala_eval paper table4\n  sala_eval paper table4 results/sweeps/paper/cells.csv --family small -o csv\n"
      "Every row says whose its number is. scripts/reproduce_table4 makes the scores first (docs/paper.md).");
  command.callback([flags] {
    const PaperTable made = table_of(*flags);
    streams::print_text(show_table(made.table, made.sentences, flags->output));
  });
}

}  // namespace sala::eval
