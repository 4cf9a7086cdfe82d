#include "sim/model/weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "sala/core/error.h"
#include "sim/text/output_file.h"

namespace sala {
namespace {

constexpr std::size_t kNamesInMessage = 10;
constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

std::string layer_prefix(int64_t layer) { return fmt::format("model.layers.{}.", layer); }

// Buffers that some exporters store; they are computed here (spec section 8).
bool is_rotary_buffer(const std::string& name) {
  for (const char* end : {"rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"})
    if (name.ends_with(end)) return true;
  return false;
}

std::string list_names(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const auto shown = std::span(names).first(std::min(names.size(), kNamesInMessage));
  std::string text = fmt::format("; {} {}: {}", names.size(), what, fmt::join(shown, ", "));
  if (shown.size() < names.size()) text += fmt::format(" and {} more", names.size() - shown.size());
  return text;
}

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// A NaN or an infinity would spread to every answer.
void check_finite(const ops::Context& context, const WeightSource& source, const std::string& name,
                  std::span<const float> values) {
  constexpr int64_t kTile = 1 << 18;
  const auto size = static_cast<int64_t>(values.size());
  std::atomic<int64_t> first{size};
  context.pool.run((size + kTile - 1) / kTile, [&](int64_t tile, int) {
    const auto begin = values.begin() + tile * kTile, end = values.begin() + std::min(size, (tile + 1) * kTile);
    const int64_t at = std::find_if(begin, end, [](float value) { return !std::isfinite(value); }) - values.begin();
    for (int64_t least = first; at < end - values.begin() && at < least && !first.compare_exchange_weak(least, at);) {
    }
  });
  if (first < size)
    throw Error(ErrorCode::kFormat, "{}: tensor {} holds {} at element {}; a model needs finite weights",
                source.description(), name, values[static_cast<std::size_t>(first.load())], first.load());
}

// In memory of the host; complete and finite.
Buffer<float> read_here(const ops::Context& context, const WeightSource& source, const std::string& name, int64_t size) {
  Buffer<float> buffer(size);
  const std::span<float> values(buffer.data(), static_cast<std::size_t>(size));
  source.read(name, values);
  check_finite(context, source, name, values);
  return buffer;
}

Buffer<float> to_device(const ops::Context& context, Buffer<float> here) {
  if (&context.device == &cpu_device()) return here;
  Buffer<float> there(here.size(), context.device);
  context.device.copy(there.data(), here.data(), here.bytes(), Device::Copy::kFromHost);
  context.device.sync();
  return there;
}

Buffer<float> read_buffer(const ops::Context& context, const WeightSource& source, const std::string& name, int64_t size) {
  return to_device(context, read_here(context, source, name, size));
}

ops::PackedMatrix read_matrix(const ops::Context& context, const WeightSource& source, const std::string& name, int64_t rows,
                              int64_t cols) {
  const Buffer<float> plain = read_here(context, source, name, rows * cols);
  return ops::PackedMatrix(context, plain.view(rows, cols));
}

}  // namespace

void check_tensors(const ModelConfig& config, const WeightSource& source) {
  std::set<std::string> present;
  for (const std::string& name : source.names())
    if (!is_rotary_buffer(name)) present.insert(name);
  std::vector<std::string> missing, wrong;
  for (const TensorSpec& spec : model_tensors(config)) {
    if (present.erase(spec.name) == 0) {
      missing.push_back(spec.name);
      continue;
    }
    const std::vector<int64_t> shape = source.shape(spec.name);
    if (shape != spec.shape)
      wrong.push_back(fmt::format("{} is {}, the config says {}", spec.name, shape_text(shape), shape_text(spec.shape)));
  }
  if (config.tie_word_embeddings && missing.empty() && wrong.empty() && present.erase(kHead) != 0 &&
      (source.shape(kHead) != source.shape(kEmbedding) || !source.same(kHead, kEmbedding)))
    throw Error(ErrorCode::kFormat, "{}: config.json says that {} is {} (tie_word_embeddings), but the two differ",
                source.description(), kHead, kEmbedding);
  for (const std::string& name : present)
    for (const char* end : {".qweight", ".qzeros", ".g_idx", ".weight_scale", ".weight_scale_inv", ".weight_packed"})
      if (name.ends_with(end))
        throw Error(ErrorCode::kUnsupported,
                    "{}: tensor '{}' is of quantised weights (GPTQ, AWQ, FP8), which are not supported",
                    source.description(), name);
  const std::vector<std::string> surplus(present.begin(), present.end());
  if (missing.empty() && wrong.empty() && surplus.empty()) return;
  throw Error(ErrorCode::kFormat, "{}: tensors do not fit config.json{}{}{}", source.description(),
              list_names("missing", missing), list_names("surplus", surplus), list_names("of wrong shape", wrong));
}

int64_t LayerTensors::bytes() const {
  int64_t sum = 0;
  for (const auto& [name, matrix] : matrices_) sum += matrix.bytes();
  for (const auto& [name, vector] : vectors_) sum += vector.bytes();
  return sum;
}

bool WeightSource::same(const std::string& one, const std::string& other) const {
  std::size_t count = 1;
  for (const int64_t extent : shape(one)) count *= static_cast<std::size_t>(extent);
  std::vector<float> a(count), b(count);
  read(one, a);
  read(other, b);
  return std::memcmp(a.data(), b.data(), count * sizeof(float)) == 0;
}

namespace {

// Files that say more of a folder's weights than its config.json.
SafetensorsCheckpoint open_checkpoint(const std::string& directory) {
  std::error_code ignored;
  for (const char* name : {"quantize_config.json", "quant_config.json", "hf_quant_config.json"})
    if (std::filesystem::exists(std::filesystem::path(directory) / name, ignored))
      throw Error(ErrorCode::kUnsupported, "{}: {} says that the weights are quantised, which is not supported", directory,
                  name);
  if (std::filesystem::exists(std::filesystem::path(directory) / "adapter_config.json", ignored))
    throw Error(ErrorCode::kUnsupported,
                "{}: adapter_config.json says that an adapter (LoRA) changes the weights; merge it first", directory);
  return SafetensorsCheckpoint::open(directory);
}

}  // namespace

CheckpointSource::CheckpointSource(std::string directory)
    : directory_(std::move(directory)), checkpoint_(open_checkpoint(directory_)) {}

bool CheckpointSource::same(const std::string& one, const std::string& other) const {
  const SafetensorsFile &a = *checkpoint_.find(one), &b = *checkpoint_.find(other);
  if (a.find(one)->dtype != b.find(other)->dtype) return WeightSource::same(one, other);
  constexpr int64_t kBlock = 1 << 20;
  std::vector<std::byte> left(kBlock), right(kBlock);
  const int64_t bytes = a.find(one)->bytes();
  for (int64_t at = 0; at < bytes; at += kBlock) {
    const auto size = static_cast<std::size_t>(std::min(kBlock, bytes - at));
    a.read_bytes(one, at, std::span(left).first(size));
    b.read_bytes(other, at, std::span(right).first(size));
    if (std::memcmp(left.data(), right.data(), size) != 0) return false;
  }
  return true;
}

std::vector<int64_t> CheckpointSource::shape(const std::string& name) const {
  return checkpoint_.find(name)->find(name)->shape;
}

void CheckpointSource::read(const std::string& name, std::span<float> out) const {
  checkpoint_.find(name)->read_floats(name, out);
}

std::vector<TensorSpec> model_tensors(const ModelConfig& config) {
  const int64_t V = config.vocab_size, E = config.hidden_size, I = config.intermediate_size;
  std::vector<TensorSpec> specs{{kEmbedding, {V, E}}};
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = layer_prefix(layer);
    specs.push_back({prefix + "input_layernorm.weight", {E}});
    for (TensorSpec spec : find_mixer(config.mixer_types[static_cast<std::size_t>(layer)]).tensors(config)) {
      spec.name = prefix + spec.name;
      specs.push_back(std::move(spec));
    }
    specs.push_back({prefix + "post_attention_layernorm.weight", {E}});
    specs.push_back({prefix + "mlp.gate_proj.weight", {I, E}});
    specs.push_back({prefix + "mlp.up_proj.weight", {I, E}});
    specs.push_back({prefix + "mlp.down_proj.weight", {E, I}});
  }
  specs.push_back({"model.norm.weight", {E}});
  if (!config.tie_word_embeddings) specs.push_back({kHead, {V, E}});
  return specs;
}

int64_t parameter_count(const ModelConfig& config) {
  int64_t sum = 0;
  for (const TensorSpec& spec : model_tensors(config)) {
    int64_t count = 1;
    for (const int64_t extent : spec.shape) count *= extent;
    sum += count;
  }
  return sum;
}

int64_t ModelWeights::bytes() const {
  int64_t sum = embedding.bytes() + final_norm.bytes() + head.bytes();
  for (const LayerWeights& layer : layers)
    sum += layer.input_norm.bytes() + layer.post_norm.bytes() + layer.gate.bytes() + layer.up.bytes() + layer.down.bytes() +
           layer.mixer.bytes();
  return sum;
}

std::unique_ptr<ModelWeights> build_weights(const ops::Context& context, const ModelConfig& config,
                                            const WeightSource& source) {
  check_tensors(config, source);
  const int64_t V = config.vocab_size, E = config.hidden_size, I = config.intermediate_size;
  auto weights = std::make_unique<ModelWeights>();
  Buffer<float> embedding = read_here(context, source, kEmbedding, V * E);
  if (config.tie_word_embeddings) weights->head = ops::PackedMatrix(context, embedding.view(V, E));
  weights->embedding = to_device(context, std::move(embedding));
  weights->final_norm = read_buffer(context, source, "model.norm.weight", E);
  if (!config.tie_word_embeddings) weights->head = read_matrix(context, source, kHead, V, E);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string prefix = layer_prefix(i);
    LayerWeights layer;
    layer.input_norm = read_buffer(context, source, prefix + "input_layernorm.weight", E);
    layer.post_norm = read_buffer(context, source, prefix + "post_attention_layernorm.weight", E);
    layer.gate = read_matrix(context, source, prefix + "mlp.gate_proj.weight", I, E);
    layer.up = read_matrix(context, source, prefix + "mlp.up_proj.weight", I, E);
    layer.down = read_matrix(context, source, prefix + "mlp.down_proj.weight", E, I);
    for (const TensorSpec& spec : find_mixer(config.mixer_types[static_cast<std::size_t>(i)]).tensors(config)) {
      if (spec.shape.size() == 2)
        layer.mixer.add_matrix(spec.name, read_matrix(context, source, prefix + spec.name, spec.shape[0], spec.shape[1]));
      else
        layer.mixer.add_vector(spec.name, read_buffer(context, source, prefix + spec.name, spec.shape[0]));
    }
    weights->layers.push_back(std::move(layer));
  }
  return weights;
}

void save_model(const std::string& directory, const ModelConfig& config, const WeightSource& source, DType dtype) {
  SafetensorsWriter writer;
  writer.add_metadata("format", "pt");
  for (const TensorSpec& spec : model_tensors(config)) {
    TensorInfo info{spec.name, DType::kF32, spec.shape};
    std::vector<float> values(static_cast<std::size_t>(info.elements()));
    source.read(spec.name, values);
    writer.add_floats(spec.name, spec.shape, values, dtype);
  }
  const std::filesystem::path folder(directory);
  writer.write((folder / "model.safetensors").string());
  text::OutputFile file((folder / "config.json").string());
  file.write(config.to_json());
  file.keep();
}

}  // namespace sala
