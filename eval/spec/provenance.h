// Where a result comes from: code, compiler, machine, libraries, command. None of it changes a result.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sala::eval {

using Provenance = std::vector<std::pair<std::string, std::string>>;  // name and text, in the order of writing

// What is known before a run: git, compiler, flags, CPU, libraries, numerics, command line. device and kernels as the
// session uses them.
Provenance make_provenance(const std::string& device, const std::string& kernels, const std::string& command_line);

std::string utc_now();  // "2026-11-25T01:19:11Z"
// "0.1.0 (35f8e10, modified)"; "0.1.0 (35f8e10, source archive)" where git did not say; "0.1.0 (unknown)".
std::string version_text();
std::string cpu_model();
// Quotes what a POSIX shell would change.
std::string shell_quoted(const std::vector<std::string>& words);

}  // namespace sala::eval
