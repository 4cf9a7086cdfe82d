#include "eval/study/this_machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <vector>

#include "eval/spec/plan.h"
#include "eval/spec/provenance.h"
#include "eval/spec/record.h"
#include "eval/util/clock.h"
#include "eval/util/columns.h"
#include "eval/util/files.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/core/rng.h"
#include "sim/mixers/mixer.h"
#include "sim/model/random_model.h"

namespace sala::eval {
namespace {

constexpr int64_t kNewTokens = 8;

std::string cache_folder() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string own = set("SALA_CACHE"); !own.empty()) return own;
  if (const std::string cache = set("XDG_CACHE_HOME"); !cache.empty()) return cache + "/sala_lab";
  if (const std::string home = set("HOME"); !home.empty()) return home + "/.cache/sala_lab";
  return "";
}

// "AMD EPYC, 2 threads", or a GPU.
std::string processor(const SessionOptions& options) {
  const std::string description = find_device(options.device).description();
  const int threads = options.threads > 0 ? options.threads : num_threads();
  return fmt::format("{}, {}", description.empty() ? cpu_model() : description, counted(threads, "thread"));
}

// The least of some runs: others may use the machine meanwhile.
ServingTime measured(const ModelConfig& config, SessionOptions options, int64_t tokens) {
  constexpr int kRuns = 2;
  const Model model = random_model(config, 0);
  options.max_tokens = tokens + kNewTokens;
  options.prune = false;
  Session session(model, options);
  Rng rng(1, "this_machine", static_cast<uint64_t>(tokens));
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; ++i)
    ids.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocab_size))));
  ServingTime time{config, WeightFormat::kBf16, tokens};
  time.prefill_seconds = time.decode_seconds = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kRuns; ++run) {
    session.reset();
    const double began = seconds_now();
    session.prefill(ids);
    const double read = seconds_now();
    for (int64_t i = 0; i < kNewTokens; ++i) session.decode(ids[static_cast<std::size_t>(i)]);
    time.prefill_seconds = std::min(time.prefill_seconds, std::max(read - began, 1e-9));
    time.decode_seconds =
        std::min(time.decode_seconds, std::max(seconds_now() - read, 1e-9) / static_cast<double>(kNewTokens));
  }
  return time;
}

std::vector<ServingTime> measure(const ModelConfig& model, const SessionOptions& options) {
  ModelConfig full = model, linear = model;
  for (std::string& name : full.mixer_types) name = first_mixer({.softmax = true}).name;
  for (std::string& name : linear.mixer_types) name = first_mixer({.linear = true}).name;
  return {measured(linear, options, 2048), measured(full, options, 1024), measured(full, options, 4096),
          measured(model, options, 2048), measured(model, options, 16384)};
}

// One rate for all kinds of work, where the times cannot tell them apart.
void calibrate_as_one(DeviceRates& device, const std::vector<ServingTime>& times) {
  double work = 0, seconds = 0, bytes = 0, decode = 0;
  for (const ServingTime& time : times) {
    const PrefillWork each = prefill_work(time.config, time.tokens);
    work += each.total();
    seconds += time.prefill_seconds;
    bytes += decode_bytes(time.config, time.format, time.tokens);
    decode += time.decode_seconds;
  }
  device.dense = device.selection = device.sparse = work / seconds;
  device.bandwidth = bytes / decode;
}

std::string text_of(const DeviceRates& device) {
  return fmt::format(
      "# Made by sala_eval, which measures again when this file is removed.\nname = \"{}\"\nsource = \"{}\"\nmemory_gb = "
      "{}\nusable = {}\ndense_tflops = {}\nselection_tflops = {}\nsparse_tflops = {}\nbandwidth_gbs = {}\n",
      device.name, device.source, device.memory_bytes / 1e9, device.usable, device.dense / 1e12, device.selection / 1e12,
      device.sparse / 1e12, device.bandwidth / 1e9);
}

std::string plain(std::string text) {  // within quotes of TOML
  std::erase_if(text, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; });
  return text;
}

}  // namespace

std::string machine_file(const SessionOptions& options) {
  const std::string folder = cache_folder();
  if (folder.empty()) return "";
  const std::string what =
      fmt::format("{}\n{}\n{}", processor(options), options.kernels, numerics_class(options.numerics, options.device));
  return fmt::format("{}/devices/{}-{}.toml", folder, options.device, hash_hex(stable_hash(what)));
}

std::optional<DeviceRates> known_machine(const SessionOptions& options) {
  try {
    const std::string path = machine_file(options);
    if (!path.empty() && file_exists(path)) return read_device(path);
  } catch (const Error&) {  // damaged: it is measured again
  }
  return std::nullopt;
}

DeviceRates this_machine(const ModelConfig& model, const SessionOptions& options,
                         const std::function<void(const std::string&)>& say) {
  if (const auto known = known_machine(options)) return *known;
  const std::string path = machine_file(options);
  say(fmt::format("measuring how fast this machine is, once: some seconds{}", path.empty() ? "" : "; kept in " + path));
  const std::vector<ServingTime> times = measure(model, options);
  DeviceRates device;
  device.name = plain(processor(options));
  device.source = plain(fmt::format("Measured {} with small models of random weights.", utc_now()));
  const int64_t own = find_device(options.device).free_bytes();
  device.memory_bytes = own > 0
                            ? static_cast<double>(own)
                            : static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  device.usable = 0.9;
  try {
    calibrate(device, times);
  } catch (const Error&) {
    calibrate_as_one(device, times);
    device.source += " Kinds of work could not be told apart, so all have one rate.";
  }
  if (path.empty()) return device;
  try {
    make_folders(path.substr(0, path.rfind('/')));
    write_shared(path, text_of(device));
  } catch (const Error& problem) {
    say(fmt::format("it is not kept: {}", problem.what()));
  }
  return device;
}

}  // namespace sala::eval
