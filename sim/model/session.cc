#include "sala/model/session.h"

#include <algorithm>
#include <limits>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sim/mixers/layer_math.h"
#include "sim/model/encodings.h"
#include "sim/model/plan.h"
#include "sim/model/weights.h"
#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/gather/gather.h"
#include "sim/ops/norm/norm.h"

namespace sala {
namespace {

constexpr int32_t kAllFinite = std::numeric_limits<int32_t>::max();

// The plan would be wrong, and so would be whoever trusted it.
void check_plan(const Workspace& workspace) {
  if (workspace.peak_bytes() > workspace.reserved_bytes())
    throw Error(ErrorCode::kInternal,
                "Session: scratch memory took {} bytes, {} were planned; a mixer's workspace_bytes says too little",
                workspace.peak_bytes(), workspace.reserved_bytes());
}

TensorView<const float, 1> vector_view(const Buffer<float>& buffer) { return buffer.view(buffer.size()); }

}  // namespace

struct Session::Impl {
  Impl(const Model& model, const SessionOptions& options);

  void reset();
  void check_ids(std::span<const int32_t> ids) const;
  // Runs one chunk through all layers; the logits of its last token only when they will be read.
  void forward(std::span<const int32_t> ids, int64_t total_tokens, bool with_logits);
  // Rows at the start of a chunk of T tokens of which nothing is needed behind layer `index`.
  int64_t skipped_rows(int64_t index, int64_t T, bool with_logits, const Taps& taps) const;
  void layer(int index, const MixerInput& in, TensorView<float, 2> hidden);
  void feed_forward(const LayerWeights& weights, TensorView<float, 2> hidden);
  void head(TensorView<const float, 2> hidden);
  // Notes that values behind step `mark` (a layer, or the head after the last) are not finite; throws when some were not.
  void watch(TensorView<const float, 2> values, int64_t mark);
  void check_watched(int64_t first, int64_t last) const;

  const ModelConfig config;  // as it was when the session was made
  const SessionOptions options;
  const MemoryPlan plan;
  Device& device;
  Workspace workspace;
  const LayerEncodings encodings;
  ThreadPool own_pool;
  ops::Context context;
  const ModelWeights& weights;
  std::vector<std::unique_ptr<Mixer>> mixers;
  std::vector<std::unique_ptr<MixerState>> states;
  Buffer<float> h, x, a;     // [chunk, E]
  Buffer<float> z, logits;   // [E], [V]
  Buffer<int32_t> overflow;  // [1] the first step whose numbers are not finite
  Buffer<float> shown;       // a copy of the logits, where the host cannot read them
  int64_t position = 0, prompt_tokens = 0;
  Observer* observer = nullptr;
  std::vector<std::string> sites;  // of the observer
  SelectionPolicy policy;
  std::vector<std::vector<int32_t>> policy_blocks;  // of every layer, or none at all
};

Session::Impl::Impl(const Model& model, const SessionOptions& wanted)
    : config(model.config()),
      options(wanted),
      plan(Session::plan(config, wanted)),
      device(find_device(options.device)),
      workspace(workspace_bytes(config, session_shape(options, plan.chunk_tokens)), device),
      encodings(config),
      own_pool(session_shape(wanted, 0).workers.threads),
      context{device, ops::find_kernels(wanted.kernels, device.kind()), wanted.numerics, workspace,
              wanted.pool != nullptr ? *wanted.pool : own_pool},
      weights(model.weights(context)),
      mixers(make_mixers(config, &weights)),
      h(plan.chunk_tokens * config.hidden_size, device),
      x(plan.chunk_tokens * config.hidden_size, device),
      a(plan.chunk_tokens * config.hidden_size, device),
      z(config.hidden_size, device),
      logits(config.vocab_size, device),
      overflow(1, device),
      shown(&device == &cpu_device() ? 0 : config.vocab_size) {
  for (const auto& mixer : mixers) states.push_back(mixer->make_state(context, options.max_tokens));
  device.sync();  // the session may be used by another thread
}

void Session::Impl::reset() {
  for (const auto& state : states) state->reset();
  position = prompt_tokens = 0;
}

void Session::Impl::check_ids(std::span<const int32_t> ids) const {
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= config.vocab_size)
      throw Error(ErrorCode::kShape, "Session::prefill: id {} at place {} lies outside the vocabulary of {}", ids[i], i,
                  config.vocab_size);
  if (const auto count = static_cast<int64_t>(ids.size()); position + count > options.max_tokens)
    throw Error(ErrorCode::kShape, "Session::prefill: {} tokens after {} exceed max_tokens {}; make the session larger",
                count, position, options.max_tokens);
}

void Session::Impl::forward(std::span<const int32_t> ids, int64_t total_tokens, bool with_logits) {
  const auto T = static_cast<int64_t>(ids.size());
  const int64_t E = config.hidden_size, layers = config.num_hidden_layers;
  const TensorView<float, 2> hidden = h.view(T, E);
  device.copy(overflow.data(), &kAllFinite, sizeof(kAllFinite), Device::Copy::kFromHost);
  ops::embed(context, weights.embedding.view(config.vocab_size, E), ids, static_cast<float>(config.scale_emb), hidden);
  Taps(observer, sites, -1, device).tell_rows(site::kHidden, "hidden", position, hidden);
  for (int64_t i = 0; i < layers; ++i) {
    const Taps taps(observer, sites, static_cast<int>(i), device);
    const int64_t skipped = skipped_rows(i, T, with_logits, taps);
    const TensorView<float, 2> normalised = x.view(T, E);
    const LayerWeights& layer_weights = weights.layers[static_cast<std::size_t>(i)];
    ops::rms_norm(context, hidden, vector_view(layer_weights.input_norm), static_cast<float>(config.rms_norm_eps),
                  normalised);
    const auto blocks = policy_blocks.empty() ? std::span<const int32_t>() : policy_blocks[static_cast<std::size_t>(i)];
    layer(static_cast<int>(i), {normalised, position, skipped, total_tokens, taps, &policy, blocks},
          hidden.slice(skipped, T));
    watch(hidden.slice(skipped, T), i);
    taps.tell_rows(site::kHidden, "hidden", position + skipped, hidden.slice(skipped, T));
  }
  if (with_logits) head(hidden.slice(T - 1, T));
  check_watched(position, position + T);
  position += T;
}

void Session::Impl::watch(TensorView<const float, 2> values, int64_t mark) {
  ops::mark_nonfinite(context, values, static_cast<int32_t>(mark), overflow.view(1));
}

void Session::Impl::check_watched(int64_t first, int64_t last) const {
  int32_t step = 0;
  device.copy(&step, overflow.data(), sizeof(step), Device::Copy::kToHost);
  device.sync();
  if (step == kAllFinite) return;
  const bool at_head = step == config.num_hidden_layers;
  throw Error(
      ErrorCode::kUnsupported,
      "Session: {} is not finite, in the tokens from {} to {}: with these weights and switches the numbers leave the "
      "range of float32",
      at_head ? "a logit of the head"
              : fmt::format("the residual stream behind layer {} ({})", step,
                            config.mixer_types[static_cast<std::size_t>(step)]),
      first, last - 1);
}

int64_t Session::Impl::skipped_rows(int64_t index, int64_t T, bool with_logits, const Taps& taps) const {
  if (!options.prune || index < config.num_hidden_layers - 1) return 0;
  const int64_t most = with_logits ? T - 1 : T;
  for (int64_t t = 0; t < most; ++t)
    if (taps.wants(position + t)) return t;
  return most;
}

void Session::Impl::layer(int index, const MixerInput& in, TensorView<float, 2> hidden) {
  const auto at = static_cast<std::size_t>(index);
  const TensorView<float, 2> mixed = a.view(hidden.extent[0], hidden.extent[1]);
  mixers[at]->forward({context, encodings.of(index)}, in, *states[at], mixed);
  if (hidden.extent[0] == 0) return;
  ops::add_scaled(context, hidden, mixed, static_cast<float>(config.residual_scale()));
  feed_forward(weights.layers[at], hidden);
}

void Session::Impl::feed_forward(const LayerWeights& layer_weights, TensorView<float, 2> hidden) {
  const int64_t step = ffn_rows(session_shape(options, plan.chunk_tokens));
  for (int64_t begin = 0; begin < hidden.extent[0]; begin += step) {
    const Workspace::Scope scope(workspace);
    const TensorView<float, 2> rows = hidden.slice(begin, std::min(begin + step, hidden.extent[0]));
    const int64_t T = rows.extent[0];
    const auto y = workspace.take<float>(T, config.hidden_size);
    const auto gate = workspace.take<float>(T, config.intermediate_size);
    const auto up = workspace.take<float>(T, config.intermediate_size);
    ops::rms_norm(context, rows, vector_view(layer_weights.post_norm), static_cast<float>(config.rms_norm_eps), y);
    project(context, y, layer_weights.gate, gate);
    project(context, y, layer_weights.up, up);
    ops::silu_mul(context, gate, up, gate);
    project(context, gate, layer_weights.down, y);
    ops::add_scaled(context, rows, y, static_cast<float>(config.residual_scale()));
  }
}

void Session::Impl::head(TensorView<const float, 2> hidden) {
  const TensorView<float, 2> row = z.view(1, config.hidden_size);
  ops::rms_norm(context, hidden, vector_view(weights.final_norm), static_cast<float>(config.rms_norm_eps), row);
  ops::divide(context, static_cast<float>(config.logit_divisor()), row);
  project(context, row, weights.head, logits.view(1, config.vocab_size));
  watch(logits.view(1, config.vocab_size), config.num_hidden_layers);
  if (shown.size() > 0) device.copy(shown.data(), logits.data(), logits.bytes(), Device::Copy::kToHost);
}

Session::Session(const Model& model, const SessionOptions& options) : impl_(std::make_unique<Impl>(model, options)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::reset() { impl_->reset(); }

void Session::set_prompt_tokens(int64_t total) {
  if (total < 0 || total > impl_->options.max_tokens)
    throw Error(ErrorCode::kShape, "Session::set_prompt_tokens: {} tokens, expected 0 to max_tokens {}", total,
                impl_->options.max_tokens);
  impl_->prompt_tokens = total;
}

void Session::prefill(std::span<const int32_t> ids, const std::function<void(int64_t done)>& progress) {
  impl_->check_ids(ids);
  const auto count = static_cast<int64_t>(ids.size());
  const int64_t total = std::max(impl_->prompt_tokens, impl_->position + count);
  for (int64_t done = 0; done < count;) {
    const int64_t step = std::min(impl_->plan.chunk_tokens, count - done);
    impl_->forward(ids.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(step)), total, done + step == count);
    done += step;
    check_plan(impl_->workspace);
    if (progress) progress(done);
  }
}

std::span<const float> Session::logits() const {
  if (impl_->position == 0) throw Error(ErrorCode::kUsage, "Session::logits: no token has been fed yet");
  const Buffer<float>& here = impl_->shown.size() > 0 ? impl_->shown : impl_->logits;
  return {here.data(), static_cast<std::size_t>(here.size())};
}

int64_t Session::position() const { return impl_->position; }
void Session::set_selection(const SelectionPolicy& policy) {
  if (policy.by != SelectBy::kLearned && !has_layer(impl_->config, &MixerTraits::selects))
    throw Error(ErrorCode::kConfig, "Session::set_selection: no layer of this model selects blocks, nothing can be forced");
  impl_->policy = policy;
  impl_->policy_blocks.clear();
  for (const std::string& name : impl_->config.mixer_types) {
    const MixerKind& kind = find_mixer(name);
    impl_->policy_blocks.push_back(kind.traits.selects ? policy.blocks(kind.selection(impl_->config).block_size)
                                                       : std::vector<int32_t>());
  }
}

void Session::set_observer(Observer* observer) {
  impl_->observer = observer;
  impl_->sites = observer == nullptr ? std::vector<std::string>() : observer->sites();
}

int64_t Session::peak_bytes() const {
  return impl_->plan.total_bytes() - impl_->workspace.reserved_bytes() + impl_->workspace.allocated_bytes();
}

int64_t Session::workspace_peak_bytes() const { return impl_->workspace.peak_bytes(); }

int32_t argmax(std::span<const float> logits) {
  if (logits.empty()) throw Error(ErrorCode::kShape, "argmax: no logits");
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace sala
