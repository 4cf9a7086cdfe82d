#include "eval/sweep/slurm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "eval/spec/plan.h"
#include "eval/spec/provenance.h"
#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "eval/util/process.h"
#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kNotFound = 127;
constexpr std::size_t kMostComplaint = 300;

Process finished(const std::vector<std::string>& words) {
  Process process(words);
  process.wait();
  if (process.code() == kNotFound)
    throw Error(
        ErrorCode::kUnsupported,
        "there is no {} here, so no Slurm; --launcher local runs on this machine, --shard I/N under any other scheduler",
        words[0]);
  return process;
}

std::string job_file(const SweepFolder& folder, const std::string& sweep) { return folder.file("slurm/" + sweep + ".job"); }

// In a line of #SBATCH.
std::string in_quotes(const std::string& path) {
  if (path.find_first_of("\"\n\\") != std::string::npos)
    throw Error(ErrorCode::kUnsupported, "{}: Slurm cannot have such a name in a script; choose another --out", path);
  return "\"" + path + "\"";
}

std::string without_patterns(std::string path) {
  for (std::size_t at = 0; (at = path.find('%', at)) != std::string::npos; at += 2) path.insert(at, "%");
  return path;
}

std::string script(const SweepFolder& folder, const std::string& sweep, const SlurmOptions& options,
                   const std::string& cells, const std::vector<int64_t>& shards, int64_t count, int64_t memory_bytes) {
  const std::string place = fs::absolute(folder.path()).lexically_normal().string();
  std::string text = fmt::format(
      "#!/bin/sh\n#SBATCH --parsable\n#SBATCH --job-name={}\n#SBATCH --array={}\n#SBATCH --ntasks=1\n#SBATCH "
      "--cpus-per-task={}\n",
      sweep, format_indexes(shards), options.cpus);
  text += fmt::format("#SBATCH --output={}\n", in_quotes(without_patterns(place) + "/slurm/" + sweep + "-%A_%a.log"));
  text += fmt::format("#SBATCH --mem={}\n",
                      options.memory.empty() ? fmt::format("{}M", (memory_bytes >> 20) + 1) : options.memory);
  if (!options.partition.empty()) text += fmt::format("#SBATCH --partition={}\n", options.partition);
  if (!options.account.empty()) text += fmt::format("#SBATCH --account={}\n", options.account);
  if (!options.time.empty()) text += fmt::format("#SBATCH --time={}\n#SBATCH --signal=B:TERM@60\n", options.time);
  for (const std::string& option : options.options) text += fmt::format("#SBATCH {}\n", option);
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  return text + fmt::format("exec {} --shard \"$SLURM_ARRAY_TASK_ID/{}\"\n",
                            shell_quoted({self, "sweep", SweepFolder(place).toml_file(sweep), "--out", place, "--cells",
                                          cells, "--threads", std::to_string(options.cpus)}),
                            count);
}

// What a program of Slurm said, on one line and without its name.
std::string complaint(const Process& process) {
  std::string said = text::printable(process.errors(), kMostComplaint);
  while (!said.empty() && said.back() == ' ') said.pop_back();
  return said.empty() ? fmt::format("it ended with code {}", process.code()) : said;
}

bool has_only(const std::string& text, const char* letters) { return text.find_first_not_of(letters) == std::string::npos; }

constexpr const char* kDigits = "0123456789";
constexpr const char* kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.";

// Throws Error{kFormat} for words that Slurm's programs would take for something else.
SlurmJob checked(SlurmJob job, const std::string& from) {
  if (job.id.empty() || !has_only(job.id, kDigits))
    throw Error(ErrorCode::kFormat, "{}: '{}' is no number of a job", from, text::printable(job.id, 60));
  if (!has_only(job.cluster, kLetters))
    throw Error(ErrorCode::kFormat, "{}: '{}' is no name of a cluster", from, text::printable(job.cluster, 60));
  return job;
}

}  // namespace

std::string SlurmJob::words() const { return cluster.empty() ? id : fmt::format("--clusters={} {}", cluster, id); }

SlurmJob submit(const SweepFolder& folder, const std::string& sweep, const SlurmOptions& options, const std::string& cells,
                const std::vector<int64_t>& shards, int64_t count, int64_t memory_bytes) {
  make_folders(folder.file("slurm"));
  const std::string path = folder.file("slurm/" + sweep + ".sh");
  write_shared(path, script(folder, sweep, options, cells, shards, count, memory_bytes));
  const Process sbatch = finished({"sbatch", path});
  if (sbatch.code() != 0) throw Error(ErrorCode::kIo, "Slurm refused the job: {}", complaint(sbatch));
  const std::string said = sbatch.out().substr(0, sbatch.out().find('\n'));  // "ID", in a federation "ID;CLUSTER"
  const std::size_t end = std::min(said.find(';'), said.size());
  SlurmJob job = checked({said.substr(0, end), said.substr(std::min(end + 1, said.size())), count, cells}, "sbatch");
  write_shared(
      job_file(folder, sweep),
      text::write_json(Json{{"id", job.id}, {"cluster", job.cluster}, {"shards", job.shards}, {"cells", job.cells}}) + "\n");
  return job;
}

std::optional<SlurmJob> last_job(const SweepFolder& folder, const std::string& sweep) {
  const std::string path = job_file(folder, sweep);
  if (!file_exists(path)) return std::nullopt;
  const Json json = text::parse_json(read_file(path), path);
  return checked({fields::text(json, "id"), fields::text(json, "cluster"), fields::integer(json, "shards", 1),
                  fields::text(json, "cells")},
                 path);
}

std::string in_queue(const SlurmJob& job) {
  std::vector<std::string> words = {"squeue", "-h", "-r", "-j", job.id, "-o", "%T %r"};
  if (!job.cluster.empty()) words.push_back("--clusters=" + job.cluster);
  const Process squeue = finished(words);
  if (squeue.code() != 0) {
    if (squeue.errors().find("Invalid job id") != std::string::npos) return "";  // it ended some time ago
    throw Error(ErrorCode::kIo, "Slurm does not answer: {}", complaint(squeue));
  }
  std::map<std::string, int64_t> counts;
  std::istringstream lines(squeue.out());
  for (std::string state, reason; lines >> state && std::getline(lines, reason);) {
    if (state == "CLUSTER:") continue;  // a heading, in spite of -h
    std::string name = state;
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (name == "pending" && reason.size() > 1) name += fmt::format(" ({})", reason.substr(1));
    ++counts[name];
  }
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(fmt::format("{} {}", count, name));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace sala::eval
