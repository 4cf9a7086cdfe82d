#include "eval/spec/model_entry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <vector>

#include "sala/core/error.h"
#include "sim/mixers/mixer.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

// models/ of the installation and of the source tree. An installation may have been moved, so its folder is found from the
// program's own place.
std::vector<std::string> own_models() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  return {(program.parent_path() / SALA_MODELS_FROM_BIN).lexically_normal().string(), SALA_MODELS_DIR};
}

}  // namespace

std::string models_folder() {
  std::vector<std::string> places;
  std::error_code ignored;
  if (const char* wanted = std::getenv("SALA_MODELS"); wanted != nullptr && *wanted != 0) {
    places.push_back(wanted);
  } else {
    places = own_models();
  }
  for (const std::string& place : places)
    if (fs::is_directory(place, ignored)) return place;
  throw Error(ErrorCode::kIo, "no folder of models: looked at {}; set SALA_MODELS", fmt::join(places, " and "));
}

std::string shared_path(const std::string& name) {
  std::vector<std::string> places;
  std::error_code ignored;
  for (const std::string& models : own_models()) {
    places.push_back((fs::path(models).parent_path() / name).string());
    if (fs::exists(places.back(), ignored)) return places.back();
  }
  throw Error(ErrorCode::kIo, "{} is missing: looked for {}", name, fmt::join(places, " and "));
}

std::string ModelEntry::architecture() const {
  bool sparse = false, full = false, linear = false, other = false;
  for (const std::string& mixer : config.mixer_types) {
    const MixerTraits& traits = find_mixer(mixer).traits;
    (traits.selects ? sparse : traits.softmax ? full : traits.linear ? linear : other) = true;
  }
  if (other || (sparse && full)) return "mixed";
  if (sparse) return linear ? "sala" : "sparse";
  if (full) return linear ? "full-linear" : "full";
  return linear ? "linear" : "mixed";
}

const std::vector<std::string>& architecture_names() {
  static const std::vector<std::string> names = {"sala", "sparse", "full", "linear", "full-linear", "mixed"};
  return names;
}

std::string ModelEntry::ratio() const {
  int64_t softmax = 0, linear = 0;
  for (const std::string& mixer : config.mixer_types) (find_mixer(mixer).traits.softmax ? softmax : linear) += 1;
  const int64_t divisor = std::max<int64_t>(1, std::gcd(softmax, linear));
  return fmt::format("{}:{}", softmax / divisor, linear / divisor);
}

}  // namespace sala::eval
