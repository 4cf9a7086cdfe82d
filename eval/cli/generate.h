#pragma once

#include <CLI/CLI.hpp>

namespace sala::eval {

// `generate`: samples as upstream-compatible JSONL, or packed training tokens. The work happens in the callback.
void add_generate_command(CLI::App& app);

}  // namespace sala::eval
