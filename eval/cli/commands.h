// The commands of sala_eval. Each adds itself to the program; its work happens in the callback and throws Error.
#pragma once

#include <string>
#include <vector>

#include "eval/cli/flags.h"

namespace sala::eval {

// What a command leaves for main().
struct CommandState {
  std::vector<std::string> words;  // the command line as given, the program's name first
  int exit_code = 0;               // 1: score gate missed, cells of a sweep not done or a run not verified, 130: interrupted
};

void add_run_command(Program& program, CommandState& state);
void add_verify_command(Program& program, CommandState& state);
void add_score_command(Program& program, CommandState& state);
void add_list_command(Program& program);
void add_explain_command(Program& program);
void add_logits_command(Program& program);
void add_sweep_command(Program& program, CommandState& state);
void add_compare_command(Program& program);
void add_plot_command(Program& program);
void add_paper_command(Program& program);
void add_halo_command(Program& program);
void add_bench_command(Program& program, CommandState& state);

}  // namespace sala::eval
