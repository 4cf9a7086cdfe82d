#include "eval/spec/provenance.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <sys/utsname.h>

#include <CLI/Version.hpp>
#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "build_info.h"
#include "sala/core/parallel.h"
#include "sala/model/session.h"

namespace sala::eval {
namespace {

std::string system_text() {
  utsname info;
  if (uname(&info) != 0) return "unknown";
  return fmt::format("{} {} {}", info.sysname, info.release, info.machine);
}

std::string library_text() {
  // HDF5 is not asked, only named: its first call would register a handler that writes again while the process exits
  // (h5.cc).
  return fmt::format("HDF5 {}.{}.{}, fmt {}.{}.{}, CLI11 {}, nlohmann-json {}.{}.{}", H5_VERS_MAJOR, H5_VERS_MINOR,
                     H5_VERS_RELEASE, FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, CLI11_VERSION,
                     NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
}

// The instruction sets that matter to kernels, as the kernel of the system reports them.
std::string cpu_features() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, found;
  while (std::getline(file, line)) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    line += ' ';
    for (const char* name : {"avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "amx_tile", "amx_bf16", "asimd"})
      if (line.find(fmt::format(" {} ", name)) != std::string::npos) found += (found.empty() ? "" : " ") + std::string(name);
    break;
  }
  return found.empty() ? "unknown" : found;
}

}  // namespace

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string version_text() {
  const std::string hash(build_info::kGitHash), modified(build_info::kGitModified);
  const char* note = modified == "yes" ? ", modified" : modified == "unknown" && hash != "unknown" ? ", source archive" : "";
  return fmt::format("{} ({}{})", build_info::kVersion, hash.substr(0, 7), note);
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts;
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string shell_quoted(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "-_=+./:,@%") == std::string::npos;
    std::string quoted;
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += (line.empty() ? "" : " ") + (plain ? word : "'" + quoted + "'");
  }
  return line;
}

Provenance make_provenance(const std::string& device, const std::string& kernels, const std::string& command_line) {
  return {{"version", build_info::kVersion},
          {"git", build_info::kGitHash},
          {"git_modified", build_info::kGitModified},
          {"compiler", build_info::kCompiler},
          {"build_type", build_info::kBuildType},
          {"compile_flags", build_info::kFlags},
          {"cpu", cpu_model()},
          {"cpu_features", cpu_features()},
          {"system", system_text()},
          {"device", device},
          {"kernels_used", kernels},
          {"threads", std::to_string(num_threads())},
          {"libraries", library_text()},
          {"numerics_version", std::to_string(kNumericsVersion)},
          {"command", command_line}};
}

}  // namespace sala::eval
