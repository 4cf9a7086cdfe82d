#include <algorithm>
#include <utility>

#include "sala/core/error.h"
#include "sim/mixers/kinds.h"

namespace sala {
namespace {

void check_kind(const MixerKind& kind, const std::vector<MixerKind>& there) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kConfig, "register_mixer: '{}' {}", kind.name, what);
  };
  if (kind.name.empty() || kind.letters.empty()) refuse("needs a name and a letter");
  if (kind.tensors == nullptr || kind.shape == nullptr || kind.make == nullptr) refuse("needs tensors, shape and make");
  if (kind.traits.selects != (kind.selection != nullptr)) refuse("says what it selects if, and only if, it selects");
  for (const MixerKind& other : there) {
    if (other.name == kind.name) refuse("is there already");
    if (const auto at = kind.letters.find_first_of(other.letters); at != std::string::npos)
      refuse(fmt::format("has the letter {} of {}", kind.letters[at], other.name));
  }
}

// Looks for one field by its path.
class Finder final : public FieldVisitor {
 public:
  explicit Finder(std::string path) : path_(std::move(path)) {}
  bool found() const { return found_; }
  void field(const std::string& key, FieldValue, const FieldSpec&) override { found_ = found_ || prefix_ + key == path_; }
  void group(const std::string& key, const FieldSpec& spec, const std::function<void()>& fields) override {
    field(key, {}, spec);
    const std::string outer = std::exchange(prefix_, prefix_ + key + ".");
    fields();
    prefix_ = outer;
  }
  void optional_group(const std::string& key, const FieldSpec& spec, bool&, const std::function<void()>&,
                      const std::function<void()>& fields) override {
    group(key, spec, fields);
  }

 private:
  std::string path_, prefix_;
  bool found_ = false;
};

// The one table; it grows only while a program sets itself up.
std::vector<MixerKind>& table() {
  static std::vector<MixerKind> kinds = {
      infllm_v2_kind(),
      lightning_kind(),
      full_attention_kind(),
  };
  return kinds;
}

}  // namespace

const std::vector<MixerKind>& mixer_kinds() { return table(); }

void register_mixer(MixerKind kind) {
  check_kind(kind, table());
  table().push_back(std::move(kind));
}

const MixerKind& find_mixer(const std::string& name) {
  std::string known;
  for (const MixerKind& kind : mixer_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw Error(ErrorCode::kConfig, "mixer_types names '{:.60}', which does not exist; there are {}", name, known);
}

const MixerKind& first_mixer(MixerTraits traits) {
  for (const MixerKind& kind : mixer_kinds())
    if (kind.traits == traits) return kind;
  throw Error(ErrorCode::kInternal, "first_mixer: no kind has these traits");
}

bool has_layer(const ModelConfig& config, bool MixerTraits::*trait) {
  return std::any_of(config.mixer_types.begin(), config.mixer_types.end(),
                     [&](const std::string& name) { return find_mixer(name).traits.*trait; });
}

std::vector<const MixerKind*> shown_kinds(const ModelConfig& config) {
  std::vector<const MixerKind*> shown;
  for (const MixerKind& kind : mixer_kinds())
    if (kind.in_every_config || config.uses(kind.name)) shown.push_back(&kind);
  return shown;
}

EncodingChoice layer_encoding(const ModelConfig& config, int64_t layer) {
  const std::vector<EncodingChoice>& chosen = config.sala_lab.position_encodings;
  const MixerKind& kind = find_mixer(config.mixer_types[static_cast<std::size_t>(layer)]);
  EncodingChoice choice;
  if (!chosen.empty()) choice = chosen[chosen.size() == 1 ? 0 : static_cast<std::size_t>(layer)];
  if (choice.type.empty()) choice = kind.encoding != nullptr ? kind.encoding(config) : no_encoding();
  return complete_encoding(config, choice);
}

bool softmax_has_positions(const ModelConfig& config) {
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    if (find_mixer(config.mixer_types[static_cast<std::size_t>(layer)]).traits.softmax &&
        layer_encoding(config, layer) != no_encoding())
      return true;
  return false;
}

bool uses_field(const ModelConfig& config, const std::string& path) {
  ModelConfig visited = config;
  Finder finder(path);
  for (const MixerKind& kind : mixer_kinds())
    if (kind.visit_fields != nullptr && config.uses(kind.name)) kind.visit_fields(visited, finder);
  return finder.found();
}

std::optional<int64_t> selects_from(const ModelConfig& config) {
  std::optional<int64_t> least;
  for (const MixerKind& kind : mixer_kinds()) {
    if (!kind.traits.selects || !config.uses(kind.name)) continue;
    const int64_t tokens = kind.selection(config).from_tokens;
    least = std::min(least.value_or(tokens), tokens);
  }
  return least;
}

}  // namespace sala
