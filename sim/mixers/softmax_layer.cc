#include "sim/mixers/softmax_layer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sala/core/error.h"
#include "sim/mixers/layer_math.h"
#include "sim/ops/attention/attention.h"
#include "sim/ops/elementwise/elementwise.h"

namespace sala {
namespace {

constexpr const char* kGate = "self_attn.o_gate.weight";

// The rule stands in for positions that softmax layers do not have.
std::string scaling_refusal(const ModelConfig& config) {
  return softmax_has_positions(config)
             ? "has RoPE on its softmax layers, and the rule is for layers without positions; --set "
               "sala_lab.attn_logits_scaling=... scales all the same"
             : "";
}

double rope_theta(const ModelConfig& config) {
  return config.own<SoftmaxFields>().attn_rope_theta.value_or(config.rope_theta);
}

}  // namespace

void visit_softmax_fields(ModelConfig& config, FieldVisitor& visit) {
  auto& own = config.own<SoftmaxFields>();
  const bool sala = !config.is_qwen3();
  visit("attn_use_rope", own.attn_use_rope, {.help = "RoPE on softmax layers", .required = sala, .trained = true});
  visit("attn_use_output_gate", own.attn_use_output_gate, {"softmax layers have o_gate", sala});
  lab_fields(visit, [&] {
    visit("attn_qk_norm", own.attn_qk_norm, {.help = "per-head RMSNorm of q and k on softmax layers", .place = -1});
    visit("attn_rope_theta", own.attn_rope_theta, {"theta of softmax layers; null = rope_theta", false, 1, 1e18});
    visit("attn_logits_scaling", own.attn_logits_scaling,
          {.help = "factor on the queries of softmax layers; hype: ln(t + a) / ln(a) at position t",
           .flag = {"--logit-scaling", "X|\"hype A\"|none",
                    "Multiply the queries of softmax layers without positions by X, or by ln(t + A) / ln(A) at position t",
                    scaling_refusal}});
  });
}

bool* softmax_rope_switch(ModelConfig& config) { return &config.own<SoftmaxFields>().attn_use_rope; }

void check_softmax_layer(const ModelConfig& config) {
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    throw Error(ErrorCode::kConfig, "num_attention_heads {} is no multiple of num_key_value_heads {}",
                config.num_attention_heads, config.num_key_value_heads);
  if (config.head_dim % 2 != 0) throw Error(ErrorCode::kConfig, "head_dim is {}, expected an even number", config.head_dim);
  if (config.rope_scaling && !config.own<SoftmaxFields>().attn_use_rope)
    throw Error(ErrorCode::kConfig,
                "rope_scaling is set but attn_use_rope is false: it scales the RoPE of softmax layers, set it to null");
  if (config.rope_scaling && !(rope_theta(config) > 1))
    throw Error(ErrorCode::kConfig, "rope_scaling needs a rope_theta above 1, it is {}", rope_theta(config));
}

std::vector<TensorSpec> softmax_layer_tensors(const ModelConfig& config) {
  const auto& own = config.own<SoftmaxFields>();
  return projection_tensors(config.hidden_size, {config.num_attention_heads, config.num_key_value_heads, config.head_dim},
                            own.attn_use_output_gate ? kGate : nullptr, own.attn_qk_norm);
}

LayerShape softmax_layer_shape(const ModelConfig& config) {
  const auto& own = config.own<SoftmaxFields>();
  LayerShape shape{config.num_attention_heads, config.num_key_value_heads, config.head_dim};
  if (own.attn_qk_norm) shape.extras.push_back("qk norm");
  if (own.attn_use_output_gate) shape.extras.push_back("output gate");
  return shape;
}

EncodingChoice softmax_layer_encoding(const ModelConfig& config) {
  if (!config.own<SoftmaxFields>().attn_use_rope) return no_encoding();
  const double theta = rope_theta(config);
  return config.rope_scaling ? yarn_encoding(theta, *config.rope_scaling) : rope_encoding(theta);
}

float SoftmaxLayer::scale() const { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim()))); }

double SoftmaxLayer::linear_flops() const {
  const double gate = own_.attn_use_output_gate ? 1 : 0;
  return 2.0 * static_cast<double>(config_.hidden_size * head_dim()) *
         (static_cast<double>(heads()) * (2 + gate) + 2 * static_cast<double>(kv_heads()));
}

double SoftmaxLayer::key_value_flops() const {
  return 4.0 * static_cast<double>(config_.hidden_size * kv_heads() * head_dim());
}

KvCache SoftmaxLayer::make_cache(const ops::Context& context, int64_t max_tokens) const {
  return {ops::PackedKeys(kv_heads(), head_dim(), max_tokens, context.device),
          ops::ValueCache(kv_heads(), head_dim(), max_tokens, context.device)};
}

int64_t SoftmaxLayer::cache_bytes(int64_t max_tokens) const {
  return 2 * ((max_tokens + 15) / 16 * 16) * kv_heads() * head_dim() * static_cast<int64_t>(sizeof(float));
}

int64_t SoftmaxLayer::key_value_bytes(const SessionShape& shape) const {
  return 2 * Workspace::bytes_of<float>(shape.chunk * kv_heads() * head_dim());
}

int64_t SoftmaxLayer::attention_bytes(const SessionShape& shape, int64_t beside) const {
  const int64_t query_sized = Workspace::bytes_of<float>(shape.chunk * heads() * head_dim());
  const int64_t scratch = ops::attention_scratch_bytes(
      {shape.chunk, shape.max_tokens, heads(), kv_heads(), head_dim(), head_dim()}, shape.workers);
  return 2 * query_sized + std::max({beside, scratch, own_.attn_use_output_gate ? query_sized : 0,
                                     Workspace::bytes_of<int64_t>(shape.max_tokens) +
                                         Workspace::bytes_of<float>(shape.max_tokens)});  // the last: tell_attention()
}

void SoftmaxLayer::keys_values(const MixerContext& context, TensorView<const float, 2> x, int64_t first_position,
                               TensorView<float, 3> k, TensorView<float, 3> v) const {
  project(context, x, tensors_->matrix(kK), flatten_heads(k));
  project(context, x, tensors_->matrix(kV), flatten_heads(v));
  if (own_.attn_qk_norm) norm_heads(context, tensors_->vector(kKNorm), eps(), k);
  if (context.encoding.is_identity()) return;
  context.encoding.rotate(context, first_position, k);
  round_if(context, flatten_heads(k));
}

void SoftmaxLayer::queries(const MixerContext& context, TensorView<const float, 2> x, int64_t first_position,
                           TensorView<float, 3> q) const {
  const TensorView<float, 2> flat = flatten_heads(q);
  project(context, x, tensors_->matrix(kQ), flat);
  if (own_.attn_qk_norm) norm_heads(context, tensors_->vector(kQNorm), eps(), q);
  if (!context.encoding.is_identity()) {
    context.encoding.rotate(context, first_position, q);
    round_if(context, flat);
  }
  const LogitScaling& scaling = own_.attn_logits_scaling;
  if (scaling.kind == LogitScaling::Kind::kConstant) ops::scale(context, static_cast<float>(scaling.value), flat);
  if (scaling.kind == LogitScaling::Kind::kHype) ops::scale_by_log(context, scaling.value, first_position, flat);
}

void SoftmaxLayer::tell_attention(const MixerContext& context, const Taps& taps, int64_t position,
                                  TensorView<const float, 2> q, const KvCache& cache, int64_t block_size,
                                  TensorView<const int32_t, 2> blocks) const {
  const Workspace::Scope scope(context.workspace);
  const auto keys = context.workspace.take<int64_t>(position + 1);
  const auto logits = context.workspace.take<float>(position + 1);
  for (int64_t head = 0; head < heads(); ++head) {
    const int64_t g = head / (heads() / kv_heads());
    const int64_t count =
        ops::attention_logits(context, q[head], cache.keys, g, position, block_size,
                              blocks.data == nullptr ? TensorView<const int32_t, 1>() : blocks[g], scale(), keys, logits);
    taps.tell(site::kAttention, position,
              {TapView("head", head), TapView("keys", {"key"}, keys.slice(0, count)),
               TapView("logits", {"key"}, logits.slice(0, count))});
  }
}

void SoftmaxLayer::output(const MixerContext& context, const MixerInput& in, TensorView<float, 3> o,
                          TensorView<float, 2> out) const {
  const TensorView<float, 2> flat = flatten_heads(o);
  round_if(context, flat);
  if (own_.attn_use_output_gate) {
    const Workspace::Scope scope(context.workspace);
    const auto gate = context.workspace.take<float>(flat.extent[0], flat.extent[1]);
    project(context, in.needed(), tensors_->matrix(kGate), gate);
    in.taps.tell_rows(site::kGate, "gate", in.first_position + in.first_needed_row, gate);
    ops::sigmoid_mul(context, gate, flat);
  }
  project(context, flat, tensors_->matrix(kO), out);
}

}  // namespace sala
