#include "sala/core/error.h"
#include "sim/posenc/posenc.h"
#include "sim/posenc/rope.h"

namespace sala {
namespace {

// No encoding at all.
class NoEncoding final : public PositionEncoding {
 public:
  void rotate(const ops::Context&, int64_t, TensorView<float, 3>) override {}
  bool is_identity() const override { return true; }
  int64_t table_bytes(int64_t) const override { return 0; }
};

std::unique_ptr<PositionEncoding> make_nope(const RopeParams&) { return std::make_unique<NoEncoding>(); }

std::unique_ptr<PositionEncoding> make_rope(const RopeParams& params) {
  return std::make_unique<RotaryEncoding>(params.head_dim, rope_frequencies(params.head_dim, params.theta));
}

std::unique_ptr<PositionEncoding> make_yarn(const RopeParams& params) {
  if (params.yarn == nullptr) throw Error(ErrorCode::kConfig, "position encoding yarn: rope_scaling is missing");
  return std::make_unique<RotaryEncoding>(params.head_dim, yarn_frequencies(params.head_dim, params.theta, *params.yarn));
}

}  // namespace

const std::vector<PositionEncodingKind>& position_encodings() {
  static const std::vector<PositionEncodingKind> kinds = {
      {"nope", "no position encoding", make_nope},
      {"rope", "rotary encoding, half-split pairs, absolute positions", make_rope},
      {"yarn", "rotary encoding with YaRN length scaling (softmax layers)", make_yarn},
  };
  return kinds;
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

std::unique_ptr<PositionEncoding> make_position_encoding(const std::string& name, const RopeParams& params) {
  std::string known;
  for (const PositionEncodingKind& kind : position_encodings()) {
    if (kind.name == name) return kind.make(params);
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw Error(ErrorCode::kUsage, "position encoding '{}' does not exist; there are {}", name, known);
}

std::unique_ptr<PositionEncoding> softmax_encoding(const ModelConfig& config) {
  const YarnConfig* yarn = config.rope_scaling ? &*config.rope_scaling : nullptr;
  const char* name = !config.attn_use_rope ? "nope" : yarn != nullptr ? "yarn" : "rope";
  return make_position_encoding(name, {config.head_dim, config.softmax_rope_theta(), yarn});
}

std::unique_ptr<PositionEncoding> lightning_encoding(const ModelConfig& config) {
  return make_position_encoding(config.lightning_use_rope ? "rope" : "nope",
                                {config.lightning_head_dim, config.rope_theta, nullptr});
}

}  // namespace sala
