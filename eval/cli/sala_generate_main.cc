// `generate` alone: links without HDF5 and the model, statically with -DSALA_STATIC=ON.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "eval/cli/generate.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"

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
  try {
    program.run(words);
    sala::eval::streams::finish();
    return 0;
  } catch (const sala::Error& error) {
    sala::eval::streams::note("sala_generate: error [{}] {}\n", sala::error_code_name(error.code()), error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    sala::eval::streams::note("sala_generate: error [internal] {}\n", error.what());
    return static_cast<int>(sala::ErrorCode::kInternal);
  }
}
