// What full-attn and minicpm4 share: projections, norms, encoding, query scaling, KV cache, output gate (spec 4.1).
#pragma once

#include "sim/mixers/mixer.h"
#include "sim/mixers/softmax_fields.h"
#include "sim/ops/packed_keys/packed_keys.h"

namespace sala {

// Their parts of a MixerKind.
void visit_softmax_fields(ModelConfig& config, FieldVisitor& visit);
bool* softmax_rope_switch(ModelConfig& config);
void check_softmax_layer(const ModelConfig& config);
std::vector<TensorSpec> softmax_layer_tensors(const ModelConfig& config);
LayerShape softmax_layer_shape(const ModelConfig& config);
EncodingChoice softmax_layer_encoding(const ModelConfig& config);

struct KvCache {
  ops::PackedKeys keys;
  ops::ValueCache values;
};

class SoftmaxLayer {
 public:
  SoftmaxLayer(const ModelConfig& config, const LayerTensors* tensors)
      : config_(config), own_(config.own<SoftmaxFields>()), tensors_(tensors) {}

  int64_t heads() const { return config_.num_attention_heads; }
  int64_t kv_heads() const { return config_.num_key_value_heads; }
  int64_t head_dim() const { return config_.head_dim; }
  float scale() const;
  double score_flops() const {
    return 2.0 * static_cast<double>(heads() * head_dim());
  }                                // of one query and one key, all heads
  double linear_flops() const;     // of one token
  double key_value_flops() const;  // of one token's keys and values, a part of them

  KvCache make_cache(const ops::Context& context, int64_t max_tokens) const;
  int64_t cache_bytes(int64_t max_tokens) const;
  // From the workspace: k and v of a chunk; q and o, and `beside` or what attention or output() needs at the same time.
  int64_t key_value_bytes(const SessionShape& shape) const;
  int64_t attention_bytes(const SessionShape& shape, int64_t beside) const;

  // x: [T, E]; k, v: [T, Hkv, D] as attention uses them.
  void keys_values(const MixerContext& context, TensorView<const float, 2> x, int64_t first_position, TensorView<float, 3> k,
                   TensorView<float, 3> v) const;
  // q: [R, H, D], normalised, rotated, scaled.
  void queries(const MixerContext& context, TensorView<const float, 2> x, int64_t first_position,
               TensorView<float, 3> q) const;
  // Tells the logits of every head of the query q [H, D] at `position`, whose key is in the cache, for the keys of `blocks`
  // [Hkv, slots] (ids of blocks of block_size keys, padded with -1); without data there, for all keys so far.
  void tell_attention(const MixerContext& context, const Taps& taps, int64_t position, TensorView<const float, 2> q,
                      const KvCache& cache, int64_t block_size, TensorView<const int32_t, 2> blocks) const;
  // Rounds and gates o [R, H, D], of the needed rows, in place and projects it to out [R, E].
  void output(const MixerContext& context, const MixerInput& in, TensorView<float, 3> o, TensorView<float, 2> out) const;

 private:
  float eps() const { return static_cast<float>(config_.rms_norm_eps); }
  const ModelConfig& config_;
  const SoftmaxFields& own_;
  const LayerTensors* tensors_;
};

}  // namespace sala
