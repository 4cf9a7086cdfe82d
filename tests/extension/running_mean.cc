// A mixer: every token reads the mean of the values up to itself, those further back weighted less.
#include "sim/mixers/layer_math.h"
#include "sim/mixers/mixer.h"
#include "tests/extension/toys.h"

namespace sala::toys {
namespace {

constexpr const char* kName = "running-mean";
constexpr const char* kV = "self_attn.v_proj.weight";
constexpr const char* kO = "self_attn.o_proj.weight";

struct Config {
  int64_t width = 0;
  double keep = 1;
  void visit_fields(FieldVisitor& visit) {
    visit("width", width, {"numbers of a value", true, 1, 4096});
    visit("keep", keep,
          {.help = "what a step keeps of the sum",
           .min = 0,
           .max = 1,
           .flag = {"--keep", "X", "What a step of a running mean keeps of the sum"}});
  }
};

class State final : public MixerState {
 public:
  State(int64_t width, Device& device) : sum(width, device) {}
  void reset() override {
    for (int64_t i = 0; i < sum.size(); ++i) sum[i] = 0;
    weight = 0;
  }
  Buffer<float> sum;
  float weight = 0;
};

class RunningMean final : public Mixer {
 public:
  RunningMean(const ModelConfig& config, const LayerTensors* tensors)
      : config_(config.own<Config>()), hidden_size_(config.hidden_size), tensors_(tensors) {}

  std::unique_ptr<MixerState> make_state(const ops::Context& context, int64_t) const override {
    return std::make_unique<State>(config_.width, context.device);
  }
  Bytes state_bytes(int64_t) const override {
    return {{"running means", config_.width * static_cast<int64_t>(sizeof(float))}};
  }
  int64_t workspace_bytes(const SessionShape& shape) const override {
    return Workspace::bytes_of<float>(shape.chunk * config_.width);
  }

  void forward(const MixerContext& context, const MixerInput& in, MixerState& base,
               TensorView<float, 2> out) const override {
    State& state = static_cast<State&>(base);
    const Workspace::Scope scope(context.workspace);
    const int64_t T = in.x.extent[0], W = config_.width;
    const auto v = context.workspace.take<float>(T, 1, W);
    project(context, in.x, tensors_->matrix(kV), flatten_heads(v));
    context.encoding.rotate(context, in.first_position, v);
    const auto keep = static_cast<float>(config_.keep);
    for (int64_t t = 0; t < T; ++t) {
      state.weight = keep * state.weight + 1;
      for (int64_t i = 0; i < W; ++i) {
        state.sum[i] = keep * state.sum[i] + v[t][0][i];
        v[t][0][i] = state.sum[i] / state.weight;
      }
    }
    in.taps.tell_rows("mean", "mean", in.first_position, flatten_heads(v));
    if (in.first_needed_row == T) return;
    project(context, flatten_heads(v).slice(in.first_needed_row, T), tensors_->matrix(kO), out);
  }

  MixerCost prefill_cost(int64_t tokens) const override {
    const auto n = static_cast<double>(tokens), width = static_cast<double>(config_.width);
    return {4 * n * width * static_cast<double>(hidden_size_), {{"means", 3 * n * width}}};
  }
  MixerCost decode_cost(int64_t) const override { return prefill_cost(1); }
  MixerCost update_cost(int64_t tokens) const override {
    return {prefill_cost(tokens).projections / 2, prefill_cost(tokens).mixing};
  }

 private:
  Config config_;
  int64_t hidden_size_;
  const LayerTensors* tensors_;
};

}  // namespace

void register_running_mean() {
  MixerKind kind;
  kind.name = kName;
  kind.description = "mean of all values so far";
  kind.source = "this test";
  kind.letters = "M";
  kind.state_names = {"running means"};
  kind.cost_names = {"means"};
  kind.visit_fields = [](ModelConfig& config, FieldVisitor& visit) {
    visit("running_mean", config.own<Config>(), {.help = "the running mean's own", .required = true});
  };
  kind.check = [](const ModelConfig& config) {
    if (config.own<Config>().width % 2 != 0) throw Error(ErrorCode::kConfig, "running_mean.width is odd");
  };
  kind.tensors = [](const ModelConfig& config) {
    const int64_t W = config.own<Config>().width, E = config.hidden_size;
    return std::vector<TensorSpec>{{kV, {W, E}}, {kO, {E, W}}};
  };
  kind.shape = [](const ModelConfig& config) { return LayerShape{1, 1, config.own<Config>().width}; };
  kind.make = [](const ModelConfig& config, int, const LayerTensors* tensors) -> std::unique_ptr<Mixer> {
    return std::make_unique<RunningMean>(config, tensors);
  };
  register_mixer(std::move(kind));
}

}  // namespace sala::toys
