// lightning-attn: linear attention with a fixed decay per head (spec section 3).
#include "sim/mixers/lightning/lightning.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/mixers/layer_math.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/gather/gather.h"
#include "sim/ops/lightning/lightning.h"
#include "sim/ops/norm/norm.h"

namespace sala {
namespace {

constexpr const char* kGate = "self_attn.z_proj.weight";
constexpr const char* kONorm = "self_attn.o_norm.weight";
constexpr int64_t kChunk = 64;  // of the chunkwise form, spec 3.5
constexpr int64_t kFloat = sizeof(float);

class State final : public MixerState {
 public:
  State(int64_t heads, int64_t dim, Device& device) : sum(heads, dim, dim, device) {}
  void reset() override { sum.reset(); }
  ops::LightningState sum;
};

class Lightning final : public Mixer {
 public:
  Lightning(const ModelConfig& config, int layer, const LayerTensors* tensors)
      : config_(config),
        own_(config.own<LightningFields>()),
        tensors_(tensors),
        H_(own_.lightning_nh),
        Hkv_(own_.lightning_nkv),
        D_(own_.lightning_head_dim),
        slopes_(own_.slopes(layer)) {}

  std::unique_ptr<MixerState> make_state(const ops::Context& context, int64_t) const override {
    return std::make_unique<State>(H_, D_, context.device);
  }
  Bytes state_bytes(int64_t) const override { return {{"linear state", (H_ * D_ * D_ + 2 * kChunk * H_ * D_) * kFloat}}; }
  int64_t workspace_bytes(const SessionShape& shape) const override {
    const int64_t wide = (own_.use_output_gate ? 3 : 2) + (Hkv_ == H_ ? 0 : 2);  // q, o, gate; k and v expanded
    return wide * Workspace::bytes_of<float>(shape.chunk * H_ * D_) +
           2 * Workspace::bytes_of<float>(shape.chunk * Hkv_ * D_) +
           ops::lightning_scratch_bytes(shape.chunk, H_, D_, D_, shape.workers);
  }

  void forward(const MixerContext& context, const MixerInput& in, MixerState& state,
               TensorView<float, 2> out) const override {
    ops::LightningState& sum = static_cast<State&>(state).sum;
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const int64_t T = in.x.extent[0], skipped = in.first_needed_row, R = T - skipped;
    const TensorView<float, 3> k = keys(context, in), v = values(context, in);
    if (skipped > 0) ops::lightning_update(context, k.slice(0, skipped), v.slice(0, skipped), slopes_, sum);
    if (R == 0) return;
    const auto q = workspace.take<float>(R, H_, D_), o = workspace.take<float>(R, H_, D_);
    queries(context, in.needed(), in.first_position + skipped, q);
    mix(context, in, {q, k.slice(skipped, T), v.slice(skipped, T)}, sum, o);
    output(context, in, o, out);
  }

  // Spec 9.4: 4 C d H for the products inside a chunk, 4 d d H for the state.
  MixerCost prefill_cost(int64_t tokens) const override {
    const auto n = static_cast<double>(tokens), d = static_cast<double>(D_), h = static_cast<double>(H_);
    return {linear_flops() * n, {{"linear", n * (4 * static_cast<double>(kChunk) * d * h + 4 * d * d * h)}}};
  }
  MixerCost decode_cost(int64_t) const override {
    const auto d = static_cast<double>(D_), h = static_cast<double>(H_);
    return {linear_flops(), {{"linear", 4 * d * d * h}}};
  }
  // Each head adds the outer product of a key and a value to its state.
  MixerCost update_cost(int64_t tokens) const override {
    const auto n = static_cast<double>(tokens), d = static_cast<double>(D_), h = static_cast<double>(H_);
    return {4 * n * static_cast<double>(config_.hidden_size * D_ * Hkv_), {{"linear", n * 2 * d * d * h}}};
  }

 private:
  float eps() const { return static_cast<float>(config_.rms_norm_eps); }
  double linear_flops() const {
    const double query_sized = own_.use_output_gate ? 3 : 2;
    return 2.0 * static_cast<double>(config_.hidden_size * D_) *
           (query_sized * static_cast<double>(H_) + 2 * static_cast<double>(Hkv_));
  }

  void encode(const MixerContext& context, int64_t first_position, TensorView<float, 3> x) const {
    if (context.encoding.is_identity()) return;
    context.encoding.rotate(context, first_position, x);
    round_if(context, flatten_heads(x));
  }
  void queries(const MixerContext& context, TensorView<const float, 2> x, int64_t first_position,
               TensorView<float, 3> q) const {
    project(context, x, tensors_->matrix(kQ), flatten_heads(q));
    if (own_.qk_norm) norm_heads(context, tensors_->vector(kQNorm), eps(), q);
    encode(context, first_position, q);
  }
  TensorView<float, 3> keys(const MixerContext& context, const MixerInput& in) const {
    const auto k = context.workspace.take<float>(in.x.extent[0], Hkv_, D_);
    project(context, in.x, tensors_->matrix(kK), flatten_heads(k));
    if (own_.qk_norm) norm_heads(context, tensors_->vector(kKNorm), eps(), k);
    encode(context, in.first_position, k);
    return expand(context, k);
  }
  TensorView<float, 3> values(const MixerContext& context, const MixerInput& in) const {
    const auto v = context.workspace.take<float>(in.x.extent[0], Hkv_, D_);
    project(context, in.x, tensors_->matrix(kV), flatten_heads(v));
    return expand(context, v);
  }
  // Query head h uses KV head h / (H / Hkv); the state is kept per query head, whose decays differ.
  TensorView<float, 3> expand(const MixerContext& context, TensorView<float, 3> x) const {
    if (Hkv_ == H_) return x;
    const auto wide = context.workspace.take<float>(x.extent[0], H_, D_);
    ops::repeat_rows(context, flatten_rows(x), 0, H_ / Hkv_, flatten_rows(wide));
    return wide;
  }
  struct Rows {
    TensorView<const float, 3> q, k, v;  // [R, H, D]
  };
  // The state is shown where a chunk ends: a call of the op that ends there leaves the same bytes.
  void mix(const MixerContext& context, const MixerInput& in, const Rows& rows, ops::LightningState& sum,
           TensorView<float, 3> o) const {
    const int64_t R = o.extent[0], first = in.first_position + in.first_needed_row;
    int64_t begin = 0;
    const auto run_to = [&](int64_t end) {
      ops::lightning(context, rows.q.slice(begin, end), rows.k.slice(begin, end), rows.v.slice(begin, end), slopes_,
                     static_cast<float>(own_.scale()), sum, o.slice(begin, end));
      begin = end;
    };
    for (int64_t end = kChunk - first % kChunk; end <= R; end += kChunk)
      if (in.taps.wants(site::kState, first + end - 1)) {
        run_to(end);
        tell_state(in.taps, first + end - 1, sum);
      }
    if (begin < R) run_to(R);
  }
  void tell_state(const Taps& taps, int64_t position, const ops::LightningState& sum) const {
    TensorView<const float, 3> state;
    state.data = sum.sum(0).data;
    state.extent = {H_, D_, D_};
    state.stride = {H_ > 1 ? sum.sum(1).data - state.data : 0, D_, 1};
    taps.tell(site::kState, position,
              {TapView("state", {"head", "key_dim", "value_dim"}, state),
               TapView("decay", {"head"}, make_view(slopes_.data(), slopes_.size()))});
  }
  // o_norm over all heads together, then the gate, then o_proj (spec 3.1).
  void output(const MixerContext& context, const MixerInput& in, TensorView<float, 3> o, TensorView<float, 2> out) const {
    const TensorView<float, 2> flat = flatten_heads(o);
    round_if(context, flat);
    if (own_.use_output_norm) ops::rms_norm(context, flat, tensors_->vector(kONorm), eps(), flat);
    if (own_.use_output_gate) {
      const Workspace::Scope scope(context.workspace);
      const auto gate = context.workspace.take<float>(flat.extent[0], flat.extent[1]);
      project(context, in.needed(), tensors_->matrix(kGate), gate);
      in.taps.tell_rows(site::kGate, "gate", in.first_position + in.first_needed_row, gate);
      ops::sigmoid_mul(context, gate, flat);
    }
    project(context, flat, tensors_->matrix(kO), out);
  }

  const ModelConfig& config_;
  const LightningFields& own_;
  const LayerTensors* tensors_;
  int64_t H_, Hkv_, D_;
  std::vector<float> slopes_;
};

}  // namespace

std::vector<TensorSpec> lightning_tensors(const ModelConfig& config) {
  const auto& own = config.own<LightningFields>();
  std::vector<TensorSpec> specs =
      projection_tensors(config.hidden_size, {own.lightning_nh, own.lightning_nkv, own.lightning_head_dim},
                         own.use_output_gate ? kGate : nullptr, own.qk_norm);
  if (own.use_output_norm) specs.push_back({kONorm, {own.lightning_nh * own.lightning_head_dim}});
  return specs;
}

std::unique_ptr<Mixer> make_lightning(const ModelConfig& config, int layer, const LayerTensors* tensors) {
  return std::make_unique<Lightning>(config, layer, tensors);
}

}  // namespace sala
