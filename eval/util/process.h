// Other programs.
#pragma once

#include <string>
#include <vector>

namespace sala::eval {

// This process becomes the program words[0], found on PATH. Throws Error{kUnsupported} when there is none.
[[noreturn]] void become(const std::vector<std::string>& words);
// What the program prints on stdout. Throws Error{kUnsupported} when there is none, Error{kIo} when it fails.
std::string output_of(const std::vector<std::string>& words);

}  // namespace sala::eval
