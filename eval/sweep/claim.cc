#include "eval/sweep/claim.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "eval/util/clock.h"
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

constexpr double kRenewSeconds = 5;
constexpr double kDeadSeconds = 30;  // without a renewal

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Processes of one machine since it was started, and of one container, see each other.
std::string this_machine() {
  std::error_code ignored;
  return first_line("/proc/sys/kernel/random/boot_id") + " " + fs::read_symlink("/proc/self/ns/pid", ignored).string();
}

// When the process was started, in ticks; empty when there is none. A number may be given again, with another time.
std::string start_of(int64_t process) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", process));
  const std::size_t name_end = stat.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return "";
  std::istringstream words(stat.substr(name_end + 1));
  std::string word;
  for (int field = 3; field <= 22 && words >> word; ++field) {
    if (field == 3 && (word == "Z" || word == "X")) return "";
  }
  return word;
}

struct Claimed {
  std::string sweep, machine, host, started;
  Shard shard;
  int64_t process = 0;
  std::string who() const { return fmt::format("{}, shard {}: process {} on {}", sweep, shard.text(), process, host); }
  bool overlaps(const std::string& other, Shard part) const {
    return sweep != other || shard.count != part.count || shard.index == part.index;
  }
};

// Throws Error for a file that is gone or damaged.
Claimed read_claim(const std::string& path) {
  const Json json = text::parse_json(read_file(path, 1 << 16), path);
  const auto line = [&](const char* name) { return text::printable(fields::text(json, name), 200); };
  return {line("sweep"),
          line("machine"),
          line("host"),
          line("started"),
          {fields::integer(json, "shard"), fields::integer(json, "shards")},
          fields::integer(json, "process")};
}

std::vector<std::string> claim_files(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder + "/running", ignored))
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string content_of(const std::string& path) {
  try {
    return read_file(path, 1 << 16);
  } catch (const Error&) {  // it was removed
    return "";
  }
}

// Whether another machine's file changes, or goes.
bool changes(const std::string& path, const std::function<void()>& check_stop) {
  const std::string before = content_of(path);
  for (const double end = seconds_now() + kDeadSeconds; seconds_now() < end;) {
    check_stop();
    if (content_of(path) != before) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return false;
}

}  // namespace

std::string Shard::text() const { return fmt::format("{}/{}", index, count); }

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, shard.index);
  if (first == std::errc() && slash != end && *slash == '/') {
    const auto [stop, second] = std::from_chars(slash + 1, end, shard.count);
    if (second == std::errc() && stop == end && shard.count >= 1 && shard.count <= 1000000 && shard.index >= 1 &&
        shard.index <= shard.count)
      return shard;
  }
  throw Error(ErrorCode::kUsage, "--shard is '{}', expected I/N with I from 1 to N, for instance 2/8",
              text::printable(text, 60));
}

Claim::Claim(const std::string& folder, const std::string& sweep, Shard shard,
             const std::function<void(const std::string&)>& say, const std::function<void()>& check_stop) {
  make_folders(folder + "/running");
  const Json json = {
      {"sweep", sweep},      {"shard", shard.index},         {"shards", shard.count},        {"machine", this_machine()},
      {"host", host_name()}, {"process", int64_t{getpid()}}, {"started", start_of(getpid())}};
  content_ = text::write_json(json);
  const std::string own = fmt::format("{}/running/{}.{}.json", folder, sweep, process_name());
  path_ = own;
  write();  // first: of two that begin at once at least one sees the other
  try {
    for (const std::string& path : claim_files(folder)) {
      if (path == own) continue;
      Claimed other;
      try {
        other = read_claim(path);
      } catch (const Error&) {
        if (!file_exists(path)) continue;
        throw Error(ErrorCode::kFormat, "{} is damaged; remove it when nobody computes in {}", path, folder);
      }
      if (!other.overlaps(sweep, shard)) continue;
      const bool same_machine = other.machine == this_machine();
      if (!same_machine)
        say(fmt::format("{} was here; if it does not move for {:.0f} s it is dead", other.who(), kDeadSeconds));
      const bool alive = same_machine ? start_of(other.process) == other.started : changes(path, check_stop);
      if (alive && file_exists(path))
        throw Error(ErrorCode::kUsage, "{} is in use ({}); wait for it, or choose another --out", folder, other.who());
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  } catch (...) {
    std::error_code ignored;
    fs::remove(path_, ignored);
    throw;
  }
}

Claim::~Claim() {
  std::error_code ignored;
  fs::remove(path_, ignored);
}

void Claim::renew() {
  if (seconds_now() - written_ >= kRenewSeconds) write();
}

void Claim::write() {
  write_atomically(path_, fmt::format("{{\"beat\": {}, {}\n", beats_++, content_.substr(1)));
  written_ = seconds_now();
}

std::vector<std::string> describe_claims(const std::string& folder) {
  std::vector<std::string> lines;
  for (const std::string& path : claim_files(folder)) {
    try {
      lines.push_back(read_claim(path).who());
    } catch (const Error&) {  // it ended just now, or is damaged, which whoever begins says
    }
  }
  return lines;
}

}  // namespace sala::eval
