// The commands of sala_eval. Each adds itself to the app; its work happens in CLI11's callback and throws Error.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sala::eval {

// What a command leaves for main().
struct CommandState {
  std::vector<std::string> words;  // the command line as given, the program's name first
  int exit_code = 0;               // 1: score gate missed, 130: interrupted
};

void add_run_command(CLI::App& app, CommandState& state);
void add_score_command(CLI::App& app, CommandState& state);
void add_list_command(CLI::App& app);
void add_explain_command(CLI::App& app);
void add_logits_command(CLI::App& app);

}  // namespace sala::eval
