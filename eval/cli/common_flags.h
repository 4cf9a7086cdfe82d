// Flags that several commands have.
#pragma once

#include <string>

#include "eval/cli/flags.h"

namespace sala::eval {

// --out TYPE: "What is written: WHAT".
Flag add_out_flag(Command& command, std::string& out, const std::string& what, const char* type);
// --tokenizer NAME|FILE: "Tokenizer WHAT".
Flag add_tokenizer_flag(Command& command, std::string& tokenizer, const std::string& what);
void add_output_flag(Command& command, std::string& output, const char* group);  // -o table|md|csv|json
void add_threads_flag(Command& command, int& threads, const char* group);

}  // namespace sala::eval
