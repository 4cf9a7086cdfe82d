#include "eval/spec/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "eval/spec/family.h"
#include "eval/spec/model_tokens.h"
#include "eval/spec/record.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/mixers/mixer.h"
#include "sim/model/random_model.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultModel = "sala-tiny";
constexpr uint64_t kRandomWeightsSeed = 0;

bool has_safetensors(const fs::path& directory) {
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(directory, ignored))
    if (file.path().extension() == ".safetensors" && file.is_regular_file(ignored)) return true;
  return false;
}

ModelEntry read_entry(const std::string& name, const fs::path& directory) {
  ModelEntry entry;
  entry.name = name;
  entry.directory = directory.string();
  entry.config = ModelConfig::load((directory / "config.json").string());
  entry.has_weights = has_safetensors(directory);
  read_generation_config(entry);
  return entry;
}

std::optional<ModelEntry> released_shape(const std::string& name) {
  ModelEntry entry;
  entry.name = name;
  if (name == "9b-shape") {
    entry.config = released_config();
  } else if (name == "qwen3-8b-shape") {
    entry.config = qwen3_8b_config();
  } else {
    return std::nullopt;
  }
  return entry;
}

std::string describe(const ModelEntry& entry) {
  if (!entry.problem.empty()) return fmt::format("{} (broken: {})", entry.name, entry.problem);
  return fmt::format("{} (--arch {} --ratio {} --layers {} --pe {})", entry.name, entry.architecture(), entry.ratio(),
                     layer_map_string(entry.config.mixer_types), position_policy(entry.config));
}

ModelEntry by_name(const std::string& name) {
  if (auto shape = released_shape(name)) return *shape;
  std::error_code ignored;
  const bool path = name.find('/') != std::string::npos || name == "." || name == "..";
  if (!path) {
    const fs::path member = fs::path(models_folder()) / name;
    if (fs::is_directory(member, ignored)) return read_entry(name, member);
  }
  if (fs::is_directory(name, ignored)) {
    const fs::path clean = fs::path(name).lexically_normal();
    const std::string last = clean.has_filename() ? clean.filename().string() : clean.parent_path().filename().string();
    return read_entry(last.empty() || last == "." ? name : last, name);
  }
  if (path) throw Error(ErrorCode::kIo, "--model: {} is no directory", name);
  for (const ModelEntry& planned : planned_members())
    if (planned.name == name)
      throw Error(ErrorCode::kUsage, "the weights of {} are not here; `{}` trains it (docs/training.md)", name,
                  training_command({name}));
  std::vector<std::string> names = {"9b-shape", "qwen3-8b-shape"};
  for (const ModelEntry& entry : family_members()) names.push_back(entry.name);
  throw Error(ErrorCode::kUsage, "no model '{}'{}; `sala_eval list models` shows all", name, text::near_it(name, names));
}

// `uniform` and `halo` are the maps of the members that are named so.
bool named_map(const std::string& layers) { return layers == "uniform" || layers == "halo"; }

bool layers_match(const ModelEntry& entry, const std::string& layers) {
  return named_map(layers) ? entry.name.find(layers) != std::string::npos
                           : entry.config.mixer_types == layer_map_from_string(layers);
}

// A count of layers and a position policy say nothing of their kind: softmax layers are then the default member's, which
// select.
bool arch_matches(const ModelEntry& entry, const ModelChoice& choice) {
  if (!choice.arch.empty()) return choice.arch == entry.architecture();
  if (!choice.layers.empty() && !named_map(choice.layers)) return true;  // letters say the kind
  return std::all_of(entry.config.mixer_types.begin(), entry.config.mixer_types.end(), [](const std::string& name) {
    const MixerTraits& traits = find_mixer(name).traits;
    return traits.selects || !traits.softmax;
  });
}

// How much of what was asked for the entry is not; what a flag says counts more than what no flag says.
int misses(const ModelEntry& entry, const ModelChoice& choice) {
  constexpr int kSaid = 2, kUnsaid = 1;
  return (arch_matches(entry, choice) ? 0
          : choice.arch.empty()       ? kUnsaid
                                      : kSaid) +
         (choice.ratio.empty() || choice.ratio == entry.ratio() ? 0 : kSaid) +
         (choice.layers.empty() || layers_match(entry, choice.layers) ? 0 : kSaid) +
         (choice.pe.empty() || choice.pe == position_policy(entry.config) ? 0 : kSaid);
}

bool fits(const ModelEntry& entry, const ModelChoice& choice) { return misses(entry, choice) == 0; }

// Of the entries that are here, those nearest to what was asked for.
std::string describe_near(std::vector<ModelEntry> entries, const ModelChoice& choice) {
  constexpr std::size_t kMost = 3;
  std::erase_if(entries, [](const ModelEntry& entry) { return entry.planned; });
  if (entries.empty()) return "none";
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const auto& a, const auto& b) { return misses(a, choice) < misses(b, choice); });
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(kMost, entries.size()); ++i) lines.push_back(describe(entries[i]));
  if (entries.size() > kMost) lines.push_back(fmt::format("{} more in `sala_eval list models`", entries.size() - kMost));
  return fmt::format("{}", fmt::join(lines, "; "));
}

// All that the flags choose from.
struct Candidates {
  std::vector<ModelEntry> entries;  // the members of train/family.toml in its order, then others that are here
  std::size_t described = 0;        // how many of them are of train/family.toml
};

// A described member whose config is broken stands here as it is described, with its problem.
Candidates candidates() {
  Candidates all;
  all.entries = planned_members();
  all.described = all.entries.size();
  for (const ModelEntry& entry : family_members()) {
    std::size_t at = 0;
    while (at < all.described && all.entries[at].name != entry.name) ++at;
    if (at < all.described && entry.problem.empty())
      all.entries[at] = entry;
    else if (at < all.described)
      all.entries[at].problem = entry.problem;
    else if (entry.problem.empty())
      all.entries.push_back(entry);
  }
  return all;
}

// A member that would be what was asked for, made from the default one; empty when the wishes contradict each other, or the
// layers are those of a search (halo).
std::optional<ModelEntry> possible_member(const ModelChoice& choice, const std::vector<ModelEntry>& members) {
  const auto base = std::find_if(members.begin(), members.end(), [](const auto& m) { return m.name == kDefaultModel; });
  if (base == members.end() || !base->problem.empty()) return std::nullopt;
  ModelEntry made = *base;
  std::vector<std::string>& map = made.config.mixer_types;
  const bool full = choice.arch == "full" || choice.arch == "full-linear";
  const std::string softmax = first_mixer({.softmax = true, .selects = !full}).name;
  try {
    if (!choice.layers.empty() && !named_map(choice.layers))
      map = layer_map_from_string(choice.layers);
    else if (!choice.ratio.empty())
      map = layer_map_from_ratio(choice.ratio, made.config.num_hidden_layers, softmax);
    else if (choice.arch == "full" || choice.arch == "sparse" || choice.arch == "linear")
      map.assign(map.size(), choice.arch == "linear" ? first_mixer({.linear = true}).name : softmax);
    else if (choice.arch == "full-linear")
      for (std::string& name : map) name = find_mixer(name).traits.softmax ? softmax : name;
  } catch (const Error&) {
    return std::nullopt;
  }
  if (!choice.pe.empty()) apply_position_policy(made.config, choice.pe);
  return fits(made, choice) ? std::optional(made) : std::nullopt;
}

// Why nobody fits, what there is, and what to do.
[[noreturn]] void refuse_choice(const ModelChoice& choice, const std::vector<ModelEntry>& all) {
  std::vector<std::string> planned;
  for (const ModelEntry& entry : all)
    if (entry.planned) planned.push_back(entry.name);
  std::string more;
  if (!planned.empty()) more = fmt::format("; described but not here: {}", fmt::join(planned, ", "));
  if (const auto made = possible_member(choice, all))
    more += fmt::format(
        "; to train one, add the table [members.mine] with base = \"{0}\", family = \"{1}, layers {2}, pe {3}\", "
        "layers = \"{2}\", pe = \"{3}\" to train/family.toml and run `{4}` (docs/training.md)",
        kDefaultModel, made->architecture(), layer_map_string(made->config.mixer_types), position_policy(made->config),
        training_command({"mine"}));
  throw Error(ErrorCode::kUsage, "nobody trained such a model; near it: {}{}", describe_near(all, choice), more);
}

// The right member is described, but its weights are not here. Another is never taken in its place.
[[noreturn]] void refuse_untrained(const ModelEntry& right, const ModelChoice& choice, const std::vector<ModelEntry>& all) {
  throw Error(ErrorCode::kUsage, "the weights of {} are not here; `{}` trains it (docs/training.md); near it: {}",
              right.name, training_command({right.name}), describe_near(all, choice));
}

// A ratio or a map that no member could have, whatever it was trained with.
void check_possible(const ModelChoice& choice, const std::vector<ModelEntry>& members) {
  std::optional<Error> problem;
  bool possible = false;
  for (const ModelEntry& entry : members) {
    const int64_t count = entry.config.num_hidden_layers;
    if (!choice.ratio.empty() && choice.ratio != entry.ratio()) {
      try {
        layer_map_from_ratio(choice.ratio, count);
      } catch (const Error& error) {
        problem = error;
        continue;
      }
    }
    if (!choice.layers.empty() && !named_map(choice.layers)) {
      const auto wanted = static_cast<int64_t>(layer_map_from_string(choice.layers).size());
      if (wanted != count) {
        problem = Error(ErrorCode::kConfig, "--layers {} has {} layers, the members of the family have {}", choice.layers,
                        wanted, count);
        continue;
      }
    }
    possible = true;
  }
  if (!possible && problem) throw *problem;
}

}  // namespace

std::vector<ModelEntry> family_members() {
  std::vector<ModelEntry> members;
  for (const auto& file : fs::directory_iterator(models_folder())) {
    if (!fs::exists(file.path() / "config.json")) continue;
    const std::string name = file.path().filename().string();
    try {
      members.push_back(read_entry(name, file.path()));
    } catch (const Error& problem) {
      ModelEntry broken;
      broken.name = name;
      broken.directory = file.path().string();
      broken.problem = problem.what();
      members.push_back(broken);
    }
  }
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return members;
}

ModelEntry choose_model(const ModelChoice& choice) {
  const bool by_training = !choice.arch.empty() || !choice.ratio.empty() || !choice.layers.empty() || !choice.pe.empty();
  if (!choice.model.empty() && by_training)
    throw Error(ErrorCode::kUsage, "--model names a model; --arch, --ratio, --layers and --pe choose one: give either");
  if (!by_training) return by_name(choice.model.empty() ? kDefaultModel : choice.model);
  if (!choice.pe.empty()) {
    ModelConfig probe;
    apply_position_policy(probe, choice.pe);  // refuses an unknown name
  }
  const auto [all, described] = candidates();
  check_possible(choice, all);
  std::vector<std::size_t> fitting;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (fits(all[i], choice)) fitting.push_back(i);
  if (fitting.empty()) refuse_choice(choice, all);
  std::size_t right = fitting[0];
  for (const std::size_t i : fitting)
    if (all[i].name == kDefaultModel) right = i;
  const ModelEntry& chosen = all[right];
  if (!chosen.problem.empty()) throw Error(ErrorCode::kConfig, "{}: {}", chosen.name, chosen.problem);
  if (chosen.planned) refuse_untrained(chosen, choice, all);
  if (right >= described && chosen.name != kDefaultModel && fitting.size() > 1)
    throw Error(ErrorCode::kUsage, "several models fit: {}; name one by --model", describe_near(all, choice));
  return chosen;
}

Model load_model(const ModelEntry& entry, const ModelConfig& config) {
  if (entry.random()) return random_model(config, kRandomWeightsSeed);
  if (!entry.has_weights)
    throw Error(ErrorCode::kIo, "{} has a config.json but no *.safetensors: its weights are not here", entry.directory);
  Model model = Model::load(entry.directory);
  if (!(config == entry.config)) model.override_config(config);
  return model;
}

std::string weights_hash(const ModelEntry& entry, const std::function<void(int64_t done, int64_t total)>& progress) {
  if (entry.random()) return "random";
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(entry.directory))
    if (file.path().extension() == ".safetensors" && file.is_regular_file()) files.push_back(file.path());
  std::sort(files.begin(), files.end());
  int64_t done = 0, total = 0;
  for (const fs::path& path : files) total += static_cast<int64_t>(fs::file_size(path));
  uint64_t hash = 0;
  constexpr int64_t kBlock = 1 << 16;  // part of the definition: the hash of a block is the seed of the next one's
  std::string block(kBlock, '\0');
  for (const fs::path& path : files) {
    const auto size = static_cast<int64_t>(fs::file_size(path));
    std::ifstream file(path, std::ios::binary);
    for (int64_t offset = 0; offset < size; offset += kBlock) {
      file.read(block.data(), std::min(kBlock, size - offset));
      if (!file) throw Error(ErrorCode::kIo, "cannot read {}", path.string());
      hash = stable_hash({block.data(), static_cast<std::size_t>(file.gcount())}, hash);
      done += file.gcount();
      if (progress) progress(done, total);
    }
    hash = stable_hash(fmt::format("{} {}", path.filename().string(), size), hash);
  }
  return hash_hex(hash);
}

}  // namespace sala::eval
