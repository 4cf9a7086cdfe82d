#pragma once

#include <functional>
#include <string>

#include "eval/cli/flags.h"

namespace sala::eval {

// `generate`: samples as upstream-compatible JSONL, or packed training tokens. The work happens in the callback.
// models_folder: where the family's tokenizer lies when models/ is not in the current folder; may throw Error{kIo}.
void add_generate_command(Program& program, const std::function<std::string()>& models_folder = {});

}  // namespace sala::eval
