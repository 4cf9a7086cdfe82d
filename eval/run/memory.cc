#include "eval/run/memory.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "eval/run/control_group.h"
#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::eval {
namespace {

constexpr int64_t kLeastReserve = int64_t{256} << 20;
constexpr int64_t kResults = int64_t{16} << 20;  // HDF5, records, tables; measured: 7 to 12 MiB

// MemAvailable of /proc/meminfo, in bytes; the physical memory where there is none.
int64_t machine_memory() {
  std::ifstream file("/proc/meminfo");
  int64_t kib = 0;
  for (std::string line; std::getline(file, line);)
    if (std::sscanf(line.c_str(), "MemAvailable: %ld kB", &kib) == 1) return kib * 1024;
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
}

// The longest power-of-two length that fits, for the way out; 0 when none does.
int64_t longest_that_fits(const ModelConfig& config, const SessionOptions& options, int64_t limit) {
  int64_t best = 0;
  for (int64_t length = 512; length < options.max_tokens; length *= 2) {
    SessionOptions shorter = options;
    shorter.max_tokens = length + 1;
    if (Session::plan(config, shorter).total_bytes() > limit) break;
    best = length;
  }
  return best;
}

}  // namespace

int64_t parse_bytes(const std::string& text) {
  const auto fail = [&] { return Error(ErrorCode::kUsage, "size '{}' is not understood; write 16g, 512m or 1.5g", text); };
  double count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || !std::isfinite(count) || count <= 0) throw fail();
  std::string unit(end, text.data() + text.size());
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::tolower(c); });
  double scale = 1;
  for (const char letter : std::string("kmgt")) {
    scale *= 1024;
    if (unit == std::string(1, letter) || unit == std::string(1, letter) + "b" || unit == std::string(1, letter) + "ib") {
      if (count * scale > 9e18) throw fail();
      return static_cast<int64_t>(count * scale);
    }
  }
  if ((!unit.empty() && unit != "b") || count > 9e18) throw fail();
  return static_cast<int64_t>(count);
}

std::string format_bytes(int64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.{}f} {}", value, value < 10 ? 2 : 1, units[unit]);
}

int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * sysconf(_SC_PAGE_SIZE);
}

int64_t peak_memory() {
  rusage used;
  return ::getrusage(RUSAGE_SELF, &used) == 0 ? int64_t{used.ru_maxrss} * 1024 : 0;
}

MemoryLimit usable_memory(const Device& device) {
  const int64_t own = device.free_bytes();
  const int64_t available = own >= 0 ? own : std::min(machine_memory(), control_group_memory());
  return {std::max<int64_t>(0, available - std::max(kLeastReserve, available / 10)),
          own >= 0 ? "this device has" : "this machine or a control group around the process leaves"};
}

MemoryLimit memory_within(int64_t bytes, const Device& device) {
  if (const int64_t free = device.free_bytes(); free >= 0 && bytes > free)
    return {free, fmt::format("--mem {} is more than is free on this device, which has", format_bytes(bytes))};
  else if (free >= 0)
    return {bytes, fmt::format("--mem {} leaves", format_bytes(bytes))};
  const int64_t own = resident_memory() + kResults;
  return {std::max<int64_t>(0, bytes - own),
          fmt::format("--mem {} leaves, beside {} for the program itself,", format_bytes(bytes), format_bytes(own))};
}

std::string describe_plan(const MemoryPlan& plan) {
  std::string text;
  for (const MemoryPlan::Item& item : plan.items) text += fmt::format("{} {}, ", item.name, format_bytes(item.bytes));
  return text + fmt::format("total {}, read in chunks of {} tokens", format_bytes(plan.total_bytes()), plan.chunk_tokens);
}

void check_memory(const MemoryPlan& plan, int64_t beside, const MemoryLimit& limit, const ModelConfig& config,
                  const SessionOptions& options) {
  if (plan.total_bytes() + beside <= limit.bytes) return;
  const int64_t fits = longest_that_fits(config, options, limit.bytes - beside);
  const std::string shorter =
      fits > 0 ? fmt::format(", or ask for at most --len {}", tasks::format_length(fits)) : ", or use a smaller model";
  const std::string samples = beside > 0 ? fmt::format(", and {} for a sample", format_bytes(beside)) : "";
  throw Error(ErrorCode::kMemory,
              "the run needs {} ({}{}) and {} {}; raise --mem where the machine has more, lower --chunk{}",
              format_bytes(plan.total_bytes() + beside), describe_plan(plan), samples, limit.whose,
              format_bytes(limit.bytes), shorter);
}

}  // namespace sala::eval
