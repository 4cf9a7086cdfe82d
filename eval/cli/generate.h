#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace sala::eval {

// `generate`: samples as upstream-compatible JSONL, or packed training tokens. The work happens in the callback.
// models_folder: where the family's tokenizer lies when models/ is not in the current folder; may throw Error{kIo}.
void add_generate_command(CLI::App& app, const std::function<std::string()>& models_folder = {});

}  // namespace sala::eval
