// Flags that several commands have.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "eval/cli/flags.h"

namespace sala::eval {

// The word NAME that says what is wanted, one of those of `kinds`: words that share a sentence of the help, and the
// sentence.
using Kinds = std::vector<std::pair<std::vector<std::string>, std::string>>;
Flag add_kind(Command& command, const char* name, std::string& kind, const Kinds& kinds);
// --out TYPE: "What is written: WHAT".
Flag add_out_flag(Command& command, std::string& out, const std::string& what, const char* type);
// --tokenizer NAME|FILE: "Tokenizer WHAT".
Flag add_tokenizer_flag(Command& command, std::string& tokenizer, const std::string& what);
void add_output_flag(Command& command, std::string& output, const char* group);  // -o table|md|latex|csv|json
void add_threads_flag(Command& command, int& threads, const char* group);

}  // namespace sala::eval
