#include "sim/posenc/rope.h"

#include "sala/core/error.h"

namespace sala {

namespace {

int64_t even(int64_t head_dim) {
  if (head_dim < 2 || head_dim % 2 != 0)
    throw Error(ErrorCode::kConfig, "rotary position encoding: head_dim is {}, expected an even number", head_dim);
  return head_dim;
}

}  // namespace

EncodingChoice rope_encoding(double theta) { return {"rope", {{"theta", theta}}}; }

PositionEncodingKind rope_kind() {
  PositionEncodingKind kind;
  kind.name = rope_encoding(0).type;
  kind.title = "RoPE";
  kind.description = "rotary encoding, half-split pairs, absolute positions";
  kind.params = {{.name = "theta", .help = "base; default rope_theta", .min = 1, .max = 1e18}};
  kind.released = [](const ModelConfig& config) { return rope_encoding(config.rope_theta).params; };
  kind.make = [](int64_t head_dim, const EncodingParams& params) -> std::unique_ptr<PositionEncoding> {
    return std::make_unique<RotaryEncoding>(
        head_dim, RopeFrequencies{ops::default_inv_freq(static_cast<int>(head_dim), params.at("theta")), 1.0f});
  };
  return kind;
}

RotaryEncoding::RotaryEncoding(int64_t head_dim, const RopeFrequencies& frequencies)
    : head_dim_(even(head_dim)),
      chunk_{ops::RopeTable(static_cast<int>(head_dim), frequencies.inv_freq, frequencies.attention_factor)},
      row_{ops::RopeTable(static_cast<int>(head_dim), frequencies.inv_freq, frequencies.attention_factor)} {}

void RotaryEncoding::rotate(const ops::Context& context, int64_t first_position, TensorView<float, 3> x) {
  Table& used = x.extent[0] == 1 ? row_ : chunk_;
  if (used.first != first_position || used.rows != x.extent[0]) {
    used.table.prepare(context, first_position, x.extent[0]);
    used.first = first_position;
    used.rows = x.extent[0];
  }
  ops::apply_rope(context, used.table, x);
}

}  // namespace sala
