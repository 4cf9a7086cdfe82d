// minicpm4: InfLLM-V2 block-sparse attention (spec section 4). Dense while the sequence is shorter than dense_len.
#include "sim/mixers/infllm_v2/infllm_v2.h"

#include <algorithm>
#include <optional>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/layer_math.h"
#include "sim/mixers/softmax_layer.h"
#include "sim/ops/attention/attention.h"
#include "sim/ops/compress/compress.h"
#include "sim/ops/gather/gather.h"
#include "sim/ops/select/select.h"

namespace sala {
namespace {

constexpr int64_t kCoarse = 4;  // coarse windows are four times as long and as far apart (spec 4.2)
constexpr int64_t kFloat = sizeof(float);

// Compressed keys of one window size.
struct Compressed {
  Compressed(int64_t kv_heads, int64_t dim, int64_t capacity, ops::CompressParams params, Device& device)
      : keys(kv_heads, dim, capacity, device), compressor(kv_heads, dim, params, device) {}
  void clear() {
    keys.clear();
    compressor.clear();
  }
  ops::PackedKeys keys;
  ops::KeyCompressor compressor;
};

class State final : public MixerState {
 public:
  explicit State(KvCache empty) : cache(std::move(empty)) {}
  void reset() override {
    cache.keys.clear();
    cache.values.clear();
    for (auto* compressed : {&fine, &coarse})
      if (*compressed) (*compressed)->clear();
    // the leader is set anew before it is read: a sequence begins with a block
  }
  KvCache cache;
  std::optional<Compressed> fine, coarse;  // of a sequence that may select
  Buffer<float> leader;                    // [H, D] query of the newest block's first token; selection per block only
  int64_t max_tokens = 0;
};

class InfLlmV2 final : public Mixer {
 public:
  InfLlmV2(const ModelConfig& config, int layer, const LayerTensors* tensors)
      : layer_(config, tensors),
        sparse_(config.own<InfLlmV2Fields>().sparse_config),
        exact_lse_(config.own<InfLlmV2Fields>().exact_lse),
        per_block_(config.own<InfLlmV2Fields>().select_per == "block"),
        index_(layer) {}

  std::unique_ptr<MixerState> make_state(const ops::Context& context, int64_t max_tokens) const override;
  Bytes state_bytes(int64_t max_tokens) const override;
  int64_t workspace_bytes(const SessionShape& shape) const override;
  void forward(const MixerContext& context, const MixerInput& in, MixerState& state,
               TensorView<float, 2> out) const override;
  MixerCost prefill_cost(int64_t tokens) const override;
  MixerCost decode_cost(int64_t tokens) const override;
  MixerCost update_cost(int64_t tokens) const override {
    return {layer_.key_value_flops() * static_cast<double>(tokens), {}};
  }

 private:
  // A sequence that always stays below dense_len needs no compressed keys.
  bool may_select(int64_t max_tokens) const { return max_tokens >= sparse_.dense_len; }
  // Whether the first query of every block has to be kept.
  bool leads(int64_t max_tokens) const { return per_block_ && may_select(max_tokens); }
  ops::CompressParams windows(int64_t factor) const {
    return {static_cast<int>(factor * sparse_.kernel_size), static_cast<int>(factor * sparse_.kernel_stride)};
  }
  // From the workspace, of so many rows: their blocks; what select() takes beside them.
  int64_t blocks_bytes(int64_t rows) const {
    return Workspace::bytes_of<int32_t>(rows * layer_.kv_heads() * sparse_.slots());
  }
  int64_t select_bytes(const SessionShape& shape, int64_t rows) const;
  ops::SelectParams select_params() const;
  ops::SelectParams select_params(const MixerInput& in) const;
  // q: [H, D] of the first token of the block that starts at `position`, of this call or kept from an earlier one.
  void leader(const MixerContext& context, const MixerInput& in, const State& state, int64_t position,
              TensorView<float, 3> q) const;
  void keep_leader(const MixerContext& context, const MixerInput& in, State& state) const;
  void select(const MixerContext& context, const MixerInput& in, const State& state, TensorView<const float, 3> q,
              TensorView<int32_t, 3> blocks) const;
  // Queries that choose and what they chose; `step` tokens share a choice, number `first` comes first.
  struct Choices {
    TensorView<const float, 3> q;
    TensorView<int32_t, 3> blocks;
    int64_t first = 0, step = 1;
  };
  void choose(const MixerContext& context, const MixerInput& in, const State& state, const Choices& choices, int64_t begin,
              int64_t end, bool scored) const;
  void compress(const MixerContext& context, TensorView<const float, 3> k, State& state) const;
  double attended(int64_t tokens) const;  // sum over the first `tokens` queries of the keys each one reads

  SoftmaxLayer layer_;
  SparseConfig sparse_;
  bool exact_lse_, per_block_;
  int index_;
};

std::unique_ptr<MixerState> InfLlmV2::make_state(const ops::Context& context, int64_t max_tokens) const {
  auto state = std::make_unique<State>(layer_.make_cache(context, max_tokens));
  state->max_tokens = max_tokens;
  if (leads(max_tokens)) state->leader = Buffer<float>(layer_.heads() * layer_.head_dim(), context.device);
  if (!may_select(max_tokens)) return state;
  const auto make = [&](std::optional<Compressed>& compressed, int64_t factor) {
    const ops::CompressParams params = windows(factor);
    compressed.emplace(layer_.kv_heads(), layer_.head_dim(), windows_within(max_tokens, params.kernel, params.stride),
                       params, context.device);
  };
  make(state->fine, 1);
  make(state->coarse, kCoarse);
  return state;
}

Bytes InfLlmV2::state_bytes(int64_t max_tokens) const {
  Bytes bytes{{"kv cache", layer_.cache_bytes(max_tokens)}};
  if (!may_select(max_tokens)) return bytes;
  const int64_t fine = windows_within(max_tokens, sparse_.kernel_size, sparse_.kernel_stride);
  const int64_t coarse = windows_within(max_tokens, kCoarse * sparse_.kernel_size, kCoarse * sparse_.kernel_stride);
  const int64_t tails = (1 + kCoarse) * sparse_.kernel_size;
  bytes.add("compressed keys",
            ((fine + 15) / 16 * 16 + (coarse + 15) / 16 * 16 + tails) * layer_.kv_heads() * layer_.head_dim() * kFloat +
                (per_block_ ? layer_.heads() * layer_.head_dim() * kFloat : 0));
  return bytes;
}

int64_t InfLlmV2::select_bytes(const SessionShape& shape, int64_t rows) const {
  return ops::select_scratch_bytes({rows, shape.max_tokens, layer_.heads(), layer_.kv_heads(), layer_.head_dim()},
                                   select_params(), shape.workers);
}

int64_t InfLlmV2::workspace_bytes(const SessionShape& shape) const {
  const int64_t kv = layer_.key_value_bytes(shape);
  if (!may_select(shape.max_tokens)) return kv + layer_.attention_bytes(shape, 0);
  // An observer's scores come one choice at a time, with their own row of the op's scratch memory.
  const int64_t scores = Workspace::bytes_of<float>(layer_.kv_heads() * (shape.max_tokens / sparse_.block_size + 1));
  const auto choose = [&](int64_t rows) { return std::max(select_bytes(shape, rows), scores + select_bytes(shape, 1)); };
  int64_t select = choose(shape.chunk);
  if (per_block_) {
    const int64_t leaders = shape.chunk / sparse_.block_size + 2;
    select =
        Workspace::bytes_of<float>(leaders * layer_.heads() * layer_.head_dim()) + blocks_bytes(leaders) + choose(leaders);
  }
  int64_t compress = 0;
  for (const int64_t factor : {int64_t{1}, kCoarse})
    compress = std::max(compress, ops::compress_scratch_bytes(shape.chunk, layer_.kv_heads(), layer_.head_dim(),
                                                              windows(factor), shape.workers));
  return kv + std::max(compress, blocks_bytes(shape.chunk) + layer_.attention_bytes(shape, select));
}

ops::SelectParams InfLlmV2::select_params() const {
  ops::SelectParams params;
  params.block_size = sparse_.block_size;
  params.kernel_size = sparse_.kernel_size;
  params.kernel_stride = sparse_.kernel_stride;
  params.init_blocks = sparse_.init_blocks;
  params.window_size = sparse_.window_size;
  params.topk = sparse_.topk;
  params.scale = layer_.scale();
  params.exact_lse = exact_lse_;
  return params;
}

ops::SelectParams InfLlmV2::select_params(const MixerInput& in) const {
  ops::SelectParams params = select_params();
  const SelectBy by = in.policy == nullptr ? SelectBy::kLearned : in.policy->by;
  if (by == SelectBy::kOracle) params.preferred = in.policy_blocks;
  if (by == SelectBy::kAdversary) params.barred = in.policy_blocks;
  if (by == SelectBy::kRandom) params.draw = stable_hash("layer " + std::to_string(index_), in.policy->seed);
  return params;
}

void InfLlmV2::leader(const MixerContext& context, const MixerInput& in, const State& state, int64_t position,
                      TensorView<float, 3> q) const {
  const int64_t t = position - in.first_position;
  if (t >= 0)
    layer_.queries(context, in.x.slice(t, t + 1), position, q);
  else
    ops::repeat_rows(context, state.leader.view(1, state.leader.size()), 0, 1, flatten_heads(q));
}

// Last of all that a call does: until then the kept query is that of the block that the call begins in.
void InfLlmV2::keep_leader(const MixerContext& context, const MixerInput& in, State& state) const {
  const int64_t last = in.first_position + in.x.extent[0] - 1, position = last / sparse_.block_size * sparse_.block_size;
  if (leads(state.max_tokens) && position >= in.first_position)
    leader(context, in, state, position, state.leader.view(1, layer_.heads(), layer_.head_dim()));
}

// q, blocks: of the rows that are needed. Per block, the choice of the block's first query, made of what that query sees, is
// that of all its queries: causal, and the same for any split into calls.
void InfLlmV2::select(const MixerContext& context, const MixerInput& in, const State& state, TensorView<const float, 3> q,
                      TensorView<int32_t, 3> blocks) const {
  const int64_t first = in.first_position + in.first_needed_row, R = q.extent[0];
  const int64_t step = per_block_ ? sparse_.block_size : 1;  // tokens that share a choice
  const int64_t first_choice = first / step, n = (first + R - 1) / step - first_choice + 1;
  const Workspace::Scope scope(context.workspace);
  Choices choices{q, blocks, first_choice, step};
  if (per_block_) {
    const auto leaders = context.workspace.take<float>(n, layer_.heads(), layer_.head_dim());
    for (int64_t b = 0; b < n; ++b) leader(context, in, state, (first_choice + b) * step, leaders.slice(b, b + 1));
    choices.q = leaders;
    choices.blocks = context.workspace.take<int32_t>(n, layer_.kv_heads(), sparse_.slots());
  }
  const auto scored = [&](int64_t c) {
    const int64_t from = std::max(first, (first_choice + c) * step), to = std::min(first + R, (first_choice + c + 1) * step);
    for (int64_t position = from; position < to; ++position)
      if (in.taps.wants(site::kBlockScores, position)) return true;
    return false;
  };
  for (int64_t begin = 0, end; begin < n; begin = end) {
    const bool alone = scored(begin);
    for (end = begin + 1; end < n && !alone && !scored(end);) ++end;
    choose(context, in, state, choices, begin, end, alone);
  }
  if (per_block_) {
    const int64_t width = layer_.kv_heads() * sparse_.slots();
    ops::repeat_rows(context, make_view(static_cast<const int32_t*>(choices.blocks.data), n, width), first % step, step,
                     make_view(blocks.data, R, width));
  }
  for (int64_t r = 0; r < R; ++r) {
    if (in.taps.wants(site::kSelection, first + r))
      in.taps.tell(site::kSelection, first + r,
                   {TapView("blocks", {"kv_head", "slot"}, blocks[r]), TapView("block_size", sparse_.block_size)});
  }
}

// The choices [begin, end). One whose scores are wanted is made alone, with the same bytes as among others.
void InfLlmV2::choose(const MixerContext& context, const MixerInput& in, const State& state, const Choices& choices,
                      int64_t begin, int64_t end, bool scored) const {
  ops::SelectParams params = select_params(in);
  params.query_step = choices.step;
  const int64_t position = (choices.first + begin) * choices.step;
  const auto run = [&](const TensorView<float, 3>* scores) {
    ops::select_blocks(context, choices.q.slice(begin, end), state.fine->keys, state.coarse->keys, position, params,
                       choices.blocks.slice(begin, end), scores);
  };
  if (!scored) return run(nullptr);
  const Workspace::Scope scope(context.workspace);
  const auto scores = context.workspace.take<float>(1, layer_.kv_heads(), position / sparse_.block_size + 1);
  run(&scores);
  const int64_t from = std::max(position, in.first_position + in.first_needed_row);
  const int64_t to = std::min(position + choices.step, in.first_position + in.x.extent[0]);
  for (int64_t t = from; t < to; ++t)
    if (in.taps.wants(site::kBlockScores, t))
      in.taps.tell(site::kBlockScores, t,
                   {TapView("blocks", {"kv_head", "slot"}, choices.blocks[begin]),
                    TapView("scores", {"kv_head", "block"}, scores[0]), TapView("block_size", sparse_.block_size)});
}

void InfLlmV2::compress(const MixerContext& context, TensorView<const float, 3> k, State& state) const {
  for (auto* windows : {&state.fine, &state.coarse})
    if (*windows) (*windows)->compressor.append(context, k, (*windows)->keys);
}

void InfLlmV2::forward(const MixerContext& context, const MixerInput& in, MixerState& base, TensorView<float, 2> out) const {
  State& state = static_cast<State&>(base);
  Workspace& workspace = context.workspace;
  const Workspace::Scope scope(workspace);
  const int64_t T = in.x.extent[0], R = T - in.first_needed_row, first = in.first_position + in.first_needed_row;
  const auto k = workspace.take<float>(T, layer_.kv_heads(), layer_.head_dim());
  const auto v = workspace.take<float>(T, layer_.kv_heads(), layer_.head_dim());
  layer_.keys_values(context, in.x, in.first_position, k, v);
  state.cache.keys.append(context, k);
  state.cache.values.append(context, v);
  compress(context, k, state);
  const bool sparse = in.total_tokens >= sparse_.dense_len;
  if (R == 0) return keep_leader(context, in, state);
  const auto q = workspace.take<float>(R, layer_.heads(), layer_.head_dim());
  const auto o = workspace.take<float>(R, layer_.heads(), layer_.head_dim());
  layer_.queries(context, in.needed(), first, q);
  TensorView<int32_t, 3> blocks;
  if (sparse) {
    blocks = workspace.take<int32_t>(R, layer_.kv_heads(), sparse_.slots());
    select(context, in, state, q, blocks);
    ops::sparse_attention(context, q, state.cache.keys, state.cache.values, first, sparse_.block_size, blocks,
                          layer_.scale(), o);
  } else {
    ops::dense_attention(context, q, state.cache.keys, state.cache.values, first, layer_.scale(), o);
  }
  for (int64_t r = 0; r < R; ++r)
    if (in.taps.wants(site::kAttention, first + r))
      layer_.tell_attention(context, in.taps, first + r, q[r], state.cache, sparse_.block_size,
                            sparse ? blocks[r] : TensorView<int32_t, 2>());
  layer_.output(context, in, o, out);
  keep_leader(context, in, state);
}

double InfLlmV2::attended(int64_t tokens) const {
  const int64_t block = sparse_.block_size, full = sparse_.slots() * block;
  const auto n = static_cast<double>(tokens);
  if (tokens <= full) return n * (n + 1) / 2;
  const auto reach = static_cast<double>(full);
  const int64_t beyond = tokens - full, blocks = beyond / block, rest = beyond % block;
  const auto ramp = [](int64_t m) { return static_cast<double>(m) * static_cast<double>(m + 1) / 2; };
  return reach * (reach + 1) / 2 + static_cast<double>(beyond) * static_cast<double>(full - block) +
         static_cast<double>(blocks) * ramp(block) + ramp(rest);
}

MixerCost InfLlmV2::prefill_cost(int64_t tokens) const {
  const auto n = static_cast<double>(tokens);
  if (tokens < sparse_.dense_len)
    return {layer_.linear_flops() * n, {{"softmax", 2 * layer_.score_flops() * n * (n + 1) / 2}}};
  const double fine = sum_of_windows(tokens, sparse_.kernel_size, sparse_.kernel_stride);
  const double coarse = sum_of_windows(tokens, kCoarse * sparse_.kernel_size, kCoarse * sparse_.kernel_stride);
  double selection = layer_.score_flops() * (fine + (exact_lse_ ? fine : coarse));
  if (per_block_) selection /= static_cast<double>(sparse_.block_size);
  return {layer_.linear_flops() * n, {{"selection", selection}, {"softmax", 2 * layer_.score_flops() * attended(tokens)}}};
}

MixerCost InfLlmV2::decode_cost(int64_t tokens) const {
  if (tokens < sparse_.dense_len)
    return {layer_.linear_flops(), {{"softmax", 2 * layer_.score_flops() * static_cast<double>(tokens)}}};
  const auto fine = static_cast<double>(windows_within(tokens, sparse_.kernel_size, sparse_.kernel_stride));
  const auto coarse =
      static_cast<double>(windows_within(tokens, kCoarse * sparse_.kernel_size, kCoarse * sparse_.kernel_stride));
  return {layer_.linear_flops(),
          {{"selection", layer_.score_flops() * (fine + (exact_lse_ ? fine : coarse))},
           {"softmax", 2 * layer_.score_flops() * (attended(tokens) - attended(tokens - 1))}}};
}

}  // namespace

std::unique_ptr<Mixer> make_infllm_v2(const ModelConfig& config, int layer, const LayerTensors* tensors) {
  return std::make_unique<InfLlmV2>(config, layer, tensors);
}

}  // namespace sala
