#include "eval/cli/program.h"

#include <fmt/format.h>

#include <filesystem>

#include "eval/cli/command_line.h"
#include "eval/cli/commands.h"
#include "eval/cli/generate.h"
#include "eval/spec/models.h"
#include "eval/spec/provenance.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr std::size_t kLongestMessage = 4000;  // bytes; the refusal that lists every model is the longest

int fail(ErrorCode code, const std::string& what) {
  std::string line = what;
  while (!line.empty() && line.back() == '\n') line.pop_back();
  streams::note("sala_eval: error [{}] {}\n", error_code_name(code), text::printable(line, kLongestMessage));
  return static_cast<int>(code);
}

}  // namespace

int run_program(int argc, char** argv) {
  streams::secure();
  CommandState state;
  state.words.assign(argv, argv + argc);
  Program program("sala_eval",
                  "SALA Lab: long-context evaluation of small hybrid models. A bare call with --task is `run`.");
  program.version("sala_eval " + version_text());
  program.footer("Example:\n  sala_eval --task ruler --len 1000k");
  add_run_command(program, state);
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
  try {
    program.run(prepare_words(program, {argv + 1, argv + argc}));
    streams::finish();
    return argc > 1 ? state.exit_code : static_cast<int>(ErrorCode::kUsage);
  } catch (const Error& problem) {
    return fail(problem.code(), problem.what());
  } catch (const std::filesystem::filesystem_error& problem) {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", problem.path1().string(), problem.code().message()));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kMemory, "the system gave no more memory; lower --len or --chunk");
  } catch (const std::exception& problem) {
    return fail(ErrorCode::kInternal, problem.what());
  }
}

}  // namespace sala::eval
