#include "sim/model/plan.h"

#include <algorithm>
#include <map>

#include "sala/core/error.h"
#include "sim/model/encodings.h"
#include "sim/model/weights.h"
#include "sim/ops/gather/gather.h"

namespace sala {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kSmallestChunk = 512;
// The automatic chunk: at most so many tokens, activations and workspace at most so many bytes. A device needs many rows to
// be busy.
struct ChunkLimits {
  int64_t tokens, bytes;
};
ChunkLimits chunk_limits(const SessionShape& shape) {
  return shape.workers.cuda ? ChunkLimits{65536, int64_t{4} << 30} : ChunkLimits{8192, int64_t{512} << 20};
}

// Packed matrices are padded to whole panels of 16 rows.
int64_t matrix_bytes(int64_t rows, int64_t cols) { return (rows + 15) / 16 * 16 * cols * kFloat; }

int64_t weight_bytes(const ModelConfig& config) {
  const int64_t V = config.vocab_size, E = config.hidden_size;
  int64_t sum = V * E * kFloat + matrix_bytes(V, E);  // embedding and head; a tied head is packed too
  for (const TensorSpec& spec : model_tensors(config)) {
    if (spec.name == "model.embed_tokens.weight" || spec.name == "lm_head.weight") continue;
    sum += spec.shape.size() == 2 ? matrix_bytes(spec.shape[0], spec.shape[1]) : spec.shape[0] * kFloat;
  }
  return sum;
}

}  // namespace

std::vector<std::unique_ptr<Mixer>> make_mixers(const ModelConfig& config, const ModelWeights* weights) {
  std::vector<std::unique_ptr<Mixer>> mixers;
  for (std::size_t i = 0; i < config.mixer_types.size(); ++i)
    mixers.push_back(
        find_mixer(config.mixer_types[i]).make(config, static_cast<int>(i), weights ? &weights->layers[i].mixer : nullptr));
  return mixers;
}

SessionShape session_shape(const SessionOptions& options, int64_t chunk) {
  const int own = options.threads > 0 ? options.threads : num_threads();
  return {chunk, options.max_tokens, {options.pool != nullptr ? options.pool->threads() : own, options.device == "cuda"}};
}

int64_t ffn_rows(const SessionShape& shape) {
  constexpr int64_t kRows = 512;
  return shape.workers.cuda ? shape.chunk : std::min(shape.chunk, kRows);
}

void check_options(const SessionOptions& options) {
  if (options.max_tokens < 1)
    throw Error(ErrorCode::kConfig, "Session: max_tokens is {}, expected at least 1", options.max_tokens);
  if (options.chunk_tokens < 0)
    throw Error(ErrorCode::kConfig, "Session: chunk_tokens is {}, expected 0 (automatic) or more", options.chunk_tokens);
  if (options.device != "cpu" && options.device != "cuda")
    throw Error(ErrorCode::kConfig, "Session: device is '{}', expected cpu or cuda", options.device);
  if (options.threads < 0)
    throw Error(ErrorCode::kConfig, "Session: threads is {}, expected 0 (all) or more", options.threads);
}

int64_t activation_bytes(const ModelConfig& config, int64_t chunk) {
  // h, x and the mixer's output of a chunk; z and the logits of one token; where the numbers stopped being finite.
  const int64_t tables = LayerEncodings(config).table_bytes(chunk);
  return 3 * chunk * config.hidden_size * kFloat + (config.hidden_size + config.vocab_size + 1) * kFloat + tables;
}

int64_t workspace_bytes(const ModelConfig& config, const SessionShape& shape) {
  const int64_t rows = ffn_rows(shape);
  int64_t largest = 2 * Workspace::bytes_of<float>(rows * config.intermediate_size) +
                    Workspace::bytes_of<float>(rows * config.hidden_size);
  largest = std::max(largest, ops::embed_scratch_bytes(shape.chunk, shape.workers));
  for (const auto& mixer : make_mixers(config, nullptr)) largest = std::max(largest, mixer->workspace_bytes(shape));
  return largest;
}

int64_t choose_chunk(const ModelConfig& config, const SessionOptions& options) {
  const int64_t needed = (options.max_tokens + 63) / 64 * 64;
  if (options.chunk_tokens > 0) return std::min(options.chunk_tokens, options.max_tokens);
  const ChunkLimits limits = chunk_limits(session_shape(options, 0));
  int64_t chunk = limits.tokens;
  while (chunk > kSmallestChunk &&
         activation_bytes(config, chunk) + workspace_bytes(config, session_shape(options, chunk)) > limits.bytes)
    chunk /= 2;
  return std::min(chunk, needed);
}

int64_t MemoryPlan::total_bytes() const {
  int64_t sum = 0;
  for (const Item& item : items) sum += item.bytes;
  return sum;
}

MemoryPlan Session::plan(const ModelConfig& config, const SessionOptions& options) {
  config.validate();
  check_options(options);
  MemoryPlan plan;
  plan.chunk_tokens = choose_chunk(config, options);
  Bytes states;
  for (const MixerKind* kind : shown_kinds(config))
    for (const std::string& name : kind->state_names) states.add(name, 0);
  for (const auto& mixer : make_mixers(config, nullptr)) states.add(mixer->state_bytes(options.max_tokens));
  plan.items.push_back({"weights", weight_bytes(config)});
  for (const Bytes::Item& item : states.items()) plan.items.push_back({item.name, item.amount});
  plan.items.push_back({"activations", activation_bytes(config, plan.chunk_tokens)});
  plan.items.push_back({"workspace", workspace_bytes(config, session_shape(options, plan.chunk_tokens))});
  return plan;
}

}  // namespace sala
