#include "eval/sweep/claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "eval/spec/record.h"
#include "eval/util/clock.h"
#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "eval/util/process.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr double kRenewSeconds = 5;
constexpr double kDeadSeconds = 30;  // without a renewal
constexpr int kBeatDigits = 10;

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
  Part part;
  std::string machine, host, started;
  int64_t process = 0;
  std::string who() const {
    return fmt::format("{}, shard {}: process {} on {}", part.sweep, part.shard.text(), process, host);
  }
  bool overlaps(const Part& other) const {
    return part.sweep != other.sweep || part.cells != other.cells || part.shard.count != other.shard.count ||
           part.shard.index == other.shard.index;
  }
};

// Throws Error for a file that is gone or damaged.
Claimed read_claim(const std::string& path) {
  const Json json = text::parse_json(read_file(path, 1 << 16), path);
  const auto line = [&](const char* name) { return text::printable(fields::text(json, name), 200); };
  return {{line("sweep"), line("cells"), {fields::integer(json, "shard"), fields::integer(json, "shards")}},
          line("machine"),
          line("host"),
          line("started"),
          fields::integer(json, "process")};
}

std::string beat_text(int64_t beat) { return fmt::format("{:0{}}", beat, kBeatDigits); }

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
bool changes(const std::string& path, const std::function<void()>& meanwhile) {
  const std::string before = content_of(path);
  for (const double end = seconds_now() + kDeadSeconds; seconds_now() < end;) {
    meanwhile();
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

Claim::Claim(const std::string& folder, const Part& part, const std::function<void(const std::string&)>& say,
             const std::function<void()>& check_stop) {
  make_folders(folder + "/running");
  // Two machines may have one name and give one number to a process.
  const uint64_t own = stable_hash(fmt::format("{} {} {}", this_machine(), process_name(), start_of(getpid())));
  path_ = fmt::format("{}/running/{}.{}.{}.json", folder, part.sweep, process_name(), hash_hex(own));
  const Json json = {{"beat", beat_text(0)},      {"sweep", part.sweep},          {"cells", part.cells},
                     {"shard", part.shard.index}, {"shards", part.shard.count},   {"machine", this_machine()},
                     {"host", host_name()},       {"process", int64_t{getpid()}}, {"started", start_of(getpid())}};
  begin(text::write_json(json) + "\n");  // first: of two that begin at once at least one sees the other
  try {
    for (const std::string& path : claim_files(folder)) {
      if (path == path_) continue;
      Claimed other;
      try {
        other = read_claim(path);
      } catch (const Error&) {
        if (!file_exists(path)) continue;
        throw Error(ErrorCode::kFormat, "{} is damaged; remove it when nobody computes in {}", path, folder);
      }
      if (!other.overlaps(part)) continue;
      const bool same_machine = other.machine == this_machine();
      if (!same_machine)
        say(fmt::format("{} was here; if it does not move for {:.0f} s it is dead", other.who(), kDeadSeconds));
      const auto meanwhile = [&] {
        check_stop();
        renew();
      };
      const bool alive = same_machine ? start_of(other.process) == other.started : changes(path, meanwhile);
      if (alive && file_exists(path))
        throw Error(ErrorCode::kUsage, "{} is in use ({}); wait for it, or choose another --out", folder, other.who());
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  } catch (...) {
    end();
    throw;
  }
}

Claim::~Claim() { end(); }

void Claim::begin(const std::string& text) {
  write_atomically(path_, text);
  beat_at_ = text.find(beat_text(0));
  renewed_ = seconds_now();
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor_ >= 0) return;
  const Error failure(ErrorCode::kIo, "cannot open {}: {}", path_, std::strerror(errno));
  end();
  throw failure;
}

void Claim::end() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  std::error_code ignored;
  fs::remove(path_, ignored);
}

// Whether the file that was begun stands under its name.
bool Claim::is_there() const {
  struct stat own, named;
  if (::fstat(descriptor_, &own) != 0) return errno != ESTALE;
  if (::stat(path_.c_str(), &named) != 0) return errno != ENOENT && errno != ESTALE;
  return own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

void Claim::renew() {
  if (seconds_now() - renewed_ < kRenewSeconds) return;
  if (!is_there())
    throw Error(ErrorCode::kIo, "{} is gone, so another process may compute here: this one ends, with everything saved",
                path_);
  const std::string beat = beat_text(++beats_);
  if (::pwrite(descriptor_, beat.data(), beat.size(), static_cast<off_t>(beat_at_)) == ssize_t{kBeatDigits} &&
      ::fsync(descriptor_) == 0) {
    renewed_ = seconds_now();
  } else if (seconds_now() - renewed_ > kDeadSeconds / 2) {
    throw Error(ErrorCode::kIo, "cannot renew {}: {}", path_, std::strerror(errno));
  }
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
