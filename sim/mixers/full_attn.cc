// full-attn: dense causal softmax attention with grouped KV heads (Qwen3 layer, HypeNet softmax layer; spec 4.1, 5, 7).
#include "sim/mixers/kinds.h"
#include "sim/mixers/softmax_layer.h"
#include "sim/ops/attention/attention.h"

namespace sala {
namespace {

class State final : public MixerState {
 public:
  explicit State(KvCache empty) : cache(std::move(empty)) {}
  void reset() override {
    cache.keys.clear();
    cache.values.clear();
  }
  KvCache cache;
};

class FullAttention final : public Mixer {
 public:
  FullAttention(const ModelConfig& config, const LayerTensors* tensors) : layer_(config, tensors) {}

  std::unique_ptr<MixerState> make_state(const ops::Context& context, int64_t max_tokens) const override {
    return std::make_unique<State>(layer_.make_cache(context, max_tokens));
  }
  Bytes state_bytes(int64_t max_tokens) const override { return {{"kv cache", layer_.cache_bytes(max_tokens)}}; }
  int64_t workspace_bytes(const SessionShape& shape) const override {
    return layer_.key_value_bytes(shape) + layer_.attention_bytes(shape, 0);
  }

  void forward(const MixerContext& context, const MixerInput& in, MixerState& state,
               TensorView<float, 2> out) const override {
    KvCache& cache = static_cast<State&>(state).cache;
    const Workspace::Scope scope(context.workspace);
    const int64_t T = in.x.extent[0], R = T - in.first_needed_row, first = in.first_position + in.first_needed_row;
    const auto k = context.workspace.take<float>(T, layer_.kv_heads(), layer_.head_dim());
    const auto v = context.workspace.take<float>(T, layer_.kv_heads(), layer_.head_dim());
    layer_.keys_values(context, in.x, in.first_position, k, v);
    cache.keys.append(context, k);
    cache.values.append(context, v);
    if (R == 0) return;
    const auto q = context.workspace.take<float>(R, layer_.heads(), layer_.head_dim());
    const auto o = context.workspace.take<float>(R, layer_.heads(), layer_.head_dim());
    layer_.queries(context, in.needed(), first, q);
    ops::dense_attention(context, q, cache.keys, cache.values, first, layer_.scale(), o);
    for (int64_t r = 0; r < R; ++r)
      if (in.taps.wants(site::kAttention, first + r)) layer_.tell_attention(context, in.taps, first + r, q[r], cache, 1, {});
    layer_.output(context, in, o, out);
  }

  MixerCost prefill_cost(int64_t tokens) const override {
    const auto n = static_cast<double>(tokens);
    return {layer_.linear_flops() * n, {{"softmax", 2 * layer_.score_flops() * n * (n + 1) / 2}}};
  }
  MixerCost decode_cost(int64_t tokens) const override {
    return {layer_.linear_flops(), {{"softmax", 2 * layer_.score_flops() * static_cast<double>(tokens)}}};
  }
  MixerCost update_cost(int64_t tokens) const override { return {layer_.key_value_flops() * static_cast<double>(tokens), {}}; }

 private:
  SoftmaxLayer layer_;
};

std::unique_ptr<Mixer> make_full_attention(const ModelConfig& config, int, const LayerTensors* tensors) {
  return std::make_unique<FullAttention>(config, tensors);
}

}  // namespace

MixerKind full_attention_kind() {
  MixerKind kind;
  kind.name = "full-attn";
  kind.description = "dense causal softmax attention with grouped KV heads";
  kind.source = "arXiv:2305.13245";
  kind.letters = "F";
  kind.traits = {.softmax = true};
  kind.state_names = {"kv cache"};
  kind.cost_names = {"softmax"};
  kind.visit_fields = visit_softmax_fields;
  kind.rope_switch = softmax_rope_switch;
  kind.check = check_softmax_layer;
  kind.tensors = softmax_layer_tensors;
  kind.shape = softmax_layer_shape;
  kind.encoding = softmax_layer_encoding;
  kind.make = make_full_attention;
  return kind;
}

}  // namespace sala
