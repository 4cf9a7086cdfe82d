#include "eval/cli/program.h"

#include "eval/cli/command_line.h"
#include "eval/cli/commands.h"
#include "eval/cli/generate.h"
#include "eval/spec/models.h"
#include "eval/spec/provenance.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"

namespace sala::eval {

int run_program(int argc, char** argv) {
  streams::secure();
  CommandState state;
  state.words.assign(argv, argv + argc);
  Program program("sala_eval",
                  "SALA Lab: long-context evaluation of small hybrid models. A bare call with --task is `run`.");
  program.version("sala_eval " + version_text());
  program.footer("Example:\n  sala_eval --task ruler --len 1000k");
  add_run_command(program, state);
  add_verify_command(program, state);
  add_list_command(program);
  add_explain_command(program);
  add_generate_command(program, models_folder);
  add_score_command(program, state);
  add_logits_command(program);
  add_sweep_command(program, state);
  add_compare_command(program);
  add_plot_command(program);
  add_paper_command(program);
  add_halo_command(program);
  add_bench_command(program, state);
  return streams::exit_code_of("sala_eval", [&] {
    program.run(prepare_words(program, {argv + 1, argv + argc}));
    streams::finish();
    return argc > 1 ? state.exit_code : static_cast<int>(ErrorCode::kUsage);
  });
}

}  // namespace sala::eval
