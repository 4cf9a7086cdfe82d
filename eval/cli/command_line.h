// The words of the command line before they are parsed: the implied `run`, --config files, unknown words.
#pragma once

#include <string>
#include <vector>

#include "eval/cli/flags.h"

namespace sala::eval {

// Returns the words to parse: `run` is put in front of a bare flag, and `--config FILE` is replaced by the flags of the
// file, before the others so that a flag of the command line wins. Throws Error{kUsage} with near matches for an unknown
// command, flag or key of the file; Error{kIo, kFormat} for the file.
std::vector<std::string> prepare_words(const Program& program, const std::vector<std::string>& words);

// Flags of a TOML file in the order of the file. Keys are long flag names; a list is joined by commas (repeated for --set);
// `true` gives the bare flag, `false` nothing; a table [set] gives `--set dotted.name=value`.
std::vector<std::string> words_of_config(const std::string& path, const Command& command);

}  // namespace sala::eval
