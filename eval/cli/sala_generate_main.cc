// `generate` alone: links without HDF5 and the model, statically with -DSALA_STATIC=ON.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "eval/cli/generate.h"
#include "sala/core/error.h"

int main(int argc, char** argv) {
  CLI::App app("SALA Lab sample generator");
  sala::eval::add_generate_command(app, [] {
    const char* wanted = std::getenv("SALA_MODELS");
    return std::string(wanted != nullptr && *wanted != 0 ? wanted : "models");
  });
  // `sala_generate --task ...` is `sala_generate generate --task ...`.
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] != "generate") words.insert(words.begin(), "generate");
  std::reverse(words.begin(), words.end());
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(sala::ErrorCode::kUsage);
  } catch (const sala::Error& error) {
    fmt::print(stderr, "sala_generate: error [{}] {}\n", sala::error_code_name(error.code()), error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "sala_generate: error [internal] {}\n", error.what());
    return static_cast<int>(sala::ErrorCode::kInternal);
  }
}
