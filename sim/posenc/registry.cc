#include <algorithm>

#include "sala/core/error.h"
#include "sim/posenc/posenc.h"

namespace sala {
namespace {

// The one table; it grows only while a program sets itself up.
std::vector<PositionEncodingKind>& table() {
  static std::vector<PositionEncodingKind> kinds = {
      nope_kind(),
      rope_kind(),
      yarn_kind(),
  };
  return kinds;
}

[[noreturn]] void refuse_params(const PositionEncodingKind& kind, const std::string& name) {
  std::string known;
  for (const EncodingParam& param : kind.params) known += (known.empty() ? "" : ", ") + param.name;
  throw Error(ErrorCode::kConfig, "position encoding {} has no number '{}'; it takes {}", kind.name, name,
              known.empty() ? "none" : known);
}

}  // namespace

const std::vector<PositionEncodingKind>& position_encodings() { return table(); }

void register_position_encoding(PositionEncodingKind kind) {
  if (kind.name.empty() || kind.make == nullptr)
    throw Error(ErrorCode::kConfig, "register_position_encoding: '{}' needs a name and a maker", kind.name);
  for (const PositionEncodingKind& other : table())
    if (other.name == kind.name)
      throw Error(ErrorCode::kConfig, "register_position_encoding: '{}' is there already", kind.name);
  if (kind.title.empty()) kind.title = kind.name;
  table().push_back(std::move(kind));
}

const PositionEncodingKind& find_position_encoding(const std::string& name) {
  std::string known;
  for (const PositionEncodingKind& kind : position_encodings()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw Error(ErrorCode::kConfig, "position encoding '{}' does not exist; there are {}", name, known);
}

EncodingChoice complete_encoding(const ModelConfig& config, const EncodingChoice& choice) {
  const PositionEncodingKind& kind = find_position_encoding(choice.type);
  EncodingChoice complete = choice;
  if (kind.released != nullptr) complete.params.merge(kind.released(config));  // keeps what is there
  for (const EncodingParam& param : kind.params)
    if (param.fallback) complete.params.emplace(param.name, *param.fallback);
  for (const EncodingParam& param : kind.params) {
    const auto found = complete.params.find(param.name);
    if (found == complete.params.end()) {
      if (param.optional) continue;
      throw Error(ErrorCode::kConfig, "position encoding {}: '{}' is missing ({})", kind.name, param.name, param.help);
    }
    if (!(found->second >= param.min && found->second <= param.max))
      throw Error(ErrorCode::kConfig, "position encoding {}: '{}' is {}, expected a number from {} to {}", kind.name,
                  param.name, found->second, param.min, param.max);
  }
  for (const auto& given : complete.params)
    if (std::none_of(kind.params.begin(), kind.params.end(), [&](const auto& known) { return known.name == given.first; }))
      refuse_params(kind, given.first);
  return complete;
}

std::unique_ptr<PositionEncoding> make_position_encoding(const EncodingChoice& choice, int64_t head_dim) {
  return find_position_encoding(choice.type).make(head_dim, choice.params);
}

const std::vector<PositionPolicy>& position_policies() {
  static const std::vector<PositionPolicy> policies = {
      {"hype", "RoPE on linear layers, none on softmax layers (released)", true, false},
      {"rope", "RoPE on all layers", true, true},
      {"nope", "no position encoding anywhere", false, false},
      {"reverse", "none on linear layers, RoPE on softmax layers", false, true},
  };
  return policies;
}

}  // namespace sala
