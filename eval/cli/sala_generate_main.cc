// `generate` alone: links without HDF5 and the model, statically with -DSALA_STATIC=ON.
#include <cstdlib>
#include <string>

#include "eval/cli/generate.h"
#include "eval/util/streams.h"

int main(int argc, char** argv) {
  sala::eval::streams::secure();
  sala::eval::Program program("sala_generate", "SALA Lab sample generator");
  sala::eval::add_generate_command(program, [] {
    const char* wanted = std::getenv("SALA_MODELS");
    return std::string(wanted != nullptr && *wanted != 0 ? wanted : "models");
  });
  // `sala_generate --task ...` is `sala_generate generate --task ...`.
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] != "generate") words.insert(words.begin(), "generate");
  return sala::eval::streams::exit_code_of("sala_generate", [&] {
    program.run(words);
    sala::eval::streams::finish();
    return 0;
  });
}
