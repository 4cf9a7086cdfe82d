// lightning-attn for the rest of the program: name, letter, checks, decay slopes, what is shown of it.
#include <cmath>

#include "sala/core/error.h"
#include "sim/mixers/kinds.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/lightning/lightning.h"

namespace sala {

std::vector<float> alibi_slopes(int64_t heads) {
  int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  // 2^(-8 (h+1) / P) is start^(h+1) of the reference; exact whenever the exponent is whole.
  const auto slope = [](int64_t h, int64_t count) {
    return static_cast<float>(std::exp2(-8.0 * static_cast<double>(h + 1) / static_cast<double>(count)));
  };
  std::vector<float> slopes;
  for (int64_t h = 0; h < power; ++h) slopes.push_back(slope(h, power));
  for (int64_t h = 0; static_cast<int64_t>(slopes.size()) < heads; h += 2) slopes.push_back(slope(h, 2 * power));
  return slopes;
}

double LightningFields::scale() const {
  const auto d = static_cast<double>(lightning_head_dim);
  if (lightning_scale == "1/sqrt(d)") return 1.0 / std::sqrt(d);
  return lightning_scale == "1/d" ? 1.0 / d : 1.0;
}

std::vector<float> LightningFields::slopes(int64_t layer) const {
  const std::vector<double>& given = lightning_slopes;
  std::vector<float> slopes = alibi_slopes(lightning_nh);
  if (!given.empty()) {
    const auto row = given.begin() + (static_cast<int64_t>(given.size()) == lightning_nh ? 0 : layer * lightning_nh);
    slopes.assign(row, row + lightning_nh);
  }
  for (float& slope : slopes) slope = static_cast<float>(decay_scale * static_cast<double>(slope));
  return slopes;
}

namespace {

void visit_fields(ModelConfig& config, FieldVisitor& visit) {
  auto& own = config.own<LightningFields>();
  const bool sala = !config.is_qwen3();
  visit("lightning_nh", own.lightning_nh, {"lightning query heads; default num_attention_heads", false, 1, 65536});
  visit("lightning_nkv", own.lightning_nkv, {"lightning KV heads; default num_key_value_heads", false, 1, 65536});
  visit("lightning_head_dim", own.lightning_head_dim, {"dimensions of a lightning head; default head_dim", false, 1, 65536});
  visit("lightning_scale", own.lightning_scale, {.help = "score scale", .allowed = {"1/sqrt(d)", "1/d", "1"}});
  visit("lightning_use_rope", own.lightning_use_rope,
        {.help = "RoPE on lightning layers", .required = sala, .trained = true});
  visit("qk_norm", own.qk_norm, {"per-head RMSNorm of q and k on lightning layers", sala});
  visit("use_output_norm", own.use_output_norm, {"lightning layers have o_norm", sala});
  visit("use_output_gate", own.use_output_gate, {"lightning layers have z_proj", sala});
  lab_fields(visit, [&] {
    visit("lightning_slopes", own.lightning_slopes,
          {.help = "decay slope of each lightning head, for all layers or layer by layer; null = released rule",
           .min = 0,
           .max = 1e9,
           .place = -1});
    visit("decay_scale", own.decay_scale,
          {.help = "factor on every decay slope; 0 = no decay",
           .min = 0,
           .max = 1e9,
           .flag = {"--decay-scale", "X", "Multiply every decay slope of Lightning layers by X; 0 = no decay"}});
  });
}

bool* rope_switch(ModelConfig& config) { return &config.own<LightningFields>().lightning_use_rope; }

void resolve(ModelConfig& config) {
  auto& own = config.own<LightningFields>();
  if (own.lightning_nh == 0) own.lightning_nh = config.num_attention_heads;
  if (own.lightning_nkv == 0) own.lightning_nkv = config.num_key_value_heads;
  if (own.lightning_head_dim == 0) own.lightning_head_dim = config.head_dim;
}

void check_lightning(const ModelConfig& config) {
  const auto& own = config.own<LightningFields>();
  const int64_t heads = own.lightning_nh, kv_heads = own.lightning_nkv;
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0)
    throw Error(ErrorCode::kConfig, "lightning_nh {} is no multiple of lightning_nkv {}", heads, kv_heads);
  if (own.lightning_head_dim < 2 || own.lightning_head_dim % 2 != 0)
    throw Error(ErrorCode::kConfig, "lightning_head_dim is {}, expected an even number", own.lightning_head_dim);
  if (static_cast<double>(heads) * static_cast<double>(own.lightning_head_dim) > kMaxExtent)
    throw Error(ErrorCode::kConfig, "lightning_nh x lightning_head_dim is {} x {}, more than {:.0f}", heads,
                own.lightning_head_dim, kMaxExtent);
  const std::vector<double>& slopes = own.lightning_slopes;
  const auto given = static_cast<int64_t>(slopes.size());
  if (given != 0 && given != heads && given != heads * config.num_hidden_layers)
    throw Error(ErrorCode::kConfig, "sala_lab.lightning_slopes has {} slopes; lightning_nh is {}, with {} layers {}", given,
                heads, config.num_hidden_layers, heads * config.num_hidden_layers);
  for (const double slope : slopes)
    if (!(slope >= 0)) throw Error(ErrorCode::kConfig, "sala_lab.lightning_slopes has {}, expected at least 0", slope);
}

LayerShape shape(const ModelConfig& config) {
  const auto& own = config.own<LightningFields>();
  LayerShape shape{own.lightning_nh, own.lightning_nkv, own.lightning_head_dim};
  if (own.qk_norm) shape.extras.push_back("qk norm");
  if (own.use_output_norm) shape.extras.push_back("output norm");
  if (own.use_output_gate) shape.extras.push_back("output gate");
  return shape;
}

EncodingChoice encoding(const ModelConfig& config) {
  return config.own<LightningFields>().lightning_use_rope ? rope_encoding(config.rope_theta) : no_encoding();
}

}  // namespace

MixerKind lightning_kind() {
  MixerKind kind;
  kind.name = "lightning-attn";
  kind.description = "Lightning: linear attention with a fixed decay per head";
  kind.source = "arXiv:2405.17381";
  kind.letters = "Ll";
  kind.traits = {.linear = true};
  kind.state_names = {"linear state"};
  kind.cost_names = {"linear"};
  kind.in_every_config = true;
  kind.visit_fields = visit_fields;
  kind.rope_switch = rope_switch;
  kind.resolve = resolve;
  kind.check = check_lightning;
  kind.tensors = lightning_tensors;
  kind.shape = shape;
  kind.encoding = encoding;
  kind.make = make_lightning;
  return kind;
}

}  // namespace sala
