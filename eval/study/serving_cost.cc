#include "eval/study/serving_cost.h"

#include <Eigen/LU>
#include <cmath>

#include "eval/util/toml.h"
#include "sala/core/error.h"
#include "sala/model/cost.h"
#include "sim/mixers/mixer.h"
#include "sim/model/weights.h"

namespace sala::eval {
namespace {

constexpr double kBf16Bytes = 2, kFloatBytes = 4;
constexpr double kInt4Bytes = 4.15 / 8;  // a scale and a zero for each group of 128

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool packed_as_int4(const TensorSpec& spec) {
  if (spec.shape.size() != 2) return false;
  for (const char* name : {"embed_tokens.weight", "lm_head.weight", "o_gate.weight", "z_proj.weight"})
    if (ends_with(spec.name, name)) return false;
  return true;
}

// Of the kinds of layers, what one layer keeps or reads, in bytes.
double key_bytes(const LayerShape& shape) { return 2 * kBf16Bytes * static_cast<double>(shape.kv_heads * shape.head_dim); }

// The engine's own keys hold float32, a server's bf16. A linear state is a matrix a head, in float32.
double served_bytes(const MixerKind& kind, const ModelConfig& config, const Bytes& state) {
  const LayerShape shape = kind.shape(config);
  if (kind.traits.linear) return kFloatBytes * static_cast<double>(shape.heads * shape.head_dim * shape.head_dim);
  return static_cast<double>(state.total()) * kBf16Bytes / kFloatBytes;
}

}  // namespace

double weight_bytes(const ModelConfig& config, WeightFormat format, bool without_embedding) {
  double bytes = 0;
  for (const TensorSpec& spec : model_tensors(config)) {
    if (without_embedding && ends_with(spec.name, "embed_tokens.weight") && !config.tie_word_embeddings) continue;
    double count = 1;
    for (const int64_t extent : spec.shape) count *= static_cast<double>(extent);
    bytes += count * (format == WeightFormat::kInt4 && packed_as_int4(spec) ? kInt4Bytes : kBf16Bytes);
  }
  return bytes;
}

double cache_bytes(const ModelConfig& config, int64_t tokens) {
  double bytes = 0;
  for (const std::string& name : config.mixer_types) {
    const MixerKind& kind = find_mixer(name);
    bytes += served_bytes(kind, config, kind.make(config, 0, nullptr)->state_bytes(tokens));
  }
  return bytes;
}

double decode_bytes(const ModelConfig& config, WeightFormat format, int64_t tokens) {
  double bytes = weight_bytes(config, format, true);
  for (const std::string& name : config.mixer_types) {
    const MixerKind& kind = find_mixer(name);
    const auto mixer = kind.make(config, 0, nullptr);
    const Bytes state = mixer->state_bytes(tokens);
    if (kind.traits.linear) {
      bytes += 2 * served_bytes(kind, config, state);  // read and written
      continue;
    }
    const LayerShape shape = kind.shape(config);
    const double keys =
        mixer->decode_cost(tokens).mixing.of("softmax") / (4.0 * static_cast<double>(shape.heads * shape.head_dim));
    bytes += keys * key_bytes(shape) + static_cast<double>(state.of("compressed keys")) * kBf16Bytes / kFloatBytes;
  }
  return bytes;
}

PrefillWork prefill_work(const ModelConfig& config, int64_t tokens, bool pruned) {
  const std::optional<int64_t> from = selects_from(config);
  const bool selects = from && tokens >= *from;
  PrefillWork work;
  const Flops cost = pruned ? pruned_prefill_cost(config, tokens) : prefill_cost(config, tokens);
  for (const Flops::Item& item : cost.items()) {
    if (item.name == "selection")
      work.selection += item.amount;
    else if (item.name == "linear" || (item.name == "softmax" && selects))
      work.sparse += item.amount;
    else
      work.dense += item.amount;
  }
  return work;
}

DeviceRates read_device(const std::string& path) {
  const toml::table file = read_toml(path);
  const auto positive = [&](const char* name) {
    const auto value = file[name].value<double>();
    if (!value || !(*value > 0)) throw Error(ErrorCode::kFormat, "{}: '{}' is missing or not above 0", path, name);
    return *value;
  };
  DeviceRates device;
  device.name = file["name"].value_or(std::string());
  device.source = file["source"].value_or(std::string());
  if (device.name.empty()) throw Error(ErrorCode::kFormat, "{}: 'name' is missing", path);
  device.memory_bytes = 1e9 * positive("memory_gb");
  device.usable = positive("usable");
  device.dense = 1e12 * positive("dense_tflops");
  device.selection = 1e12 * positive("selection_tflops");
  device.sparse = 1e12 * positive("sparse_tflops");
  device.bandwidth = 1e9 * positive("bandwidth_gbs");
  return device;
}

bool fits(const ModelConfig& config, WeightFormat format, int64_t tokens, const DeviceRates& device) {
  return weight_bytes(config, format) + cache_bytes(config, tokens) <= device.usable * device.memory_bytes;
}

double seconds_of(const PrefillWork& work, const DeviceRates& device) {
  return work.dense / device.dense + work.selection / device.selection + work.sparse / device.sparse;
}

double prefill_seconds(const ModelConfig& config, WeightFormat format, int64_t tokens, const DeviceRates& device) {
  return std::max(seconds_of(prefill_work(config, tokens), device), weight_bytes(config, format, true) / device.bandwidth);
}

double decode_seconds(const ModelConfig& config, WeightFormat format, int64_t tokens, const DeviceRates& device) {
  return std::max(decode_bytes(config, format, tokens) / device.bandwidth,
                  decode_cost(config, tokens).total() / device.dense);
}

void calibrate(DeviceRates& device, std::span<const ServingTime> times) {
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Vector3d right = Eigen::Vector3d::Zero();
  double bytes_seconds = 0, bytes_bytes = 0;
  for (const ServingTime& time : times) {
    const PrefillWork work = prefill_work(time.config, time.tokens);
    // In units in which the unknowns are near 1; each time counts by its relative error.
    const Eigen::Vector3d row(work.dense / time.prefill_seconds / 1e14, work.selection / time.prefill_seconds / 1e13,
                              work.sparse / time.prefill_seconds / 1e13);
    normal += row * row.transpose();
    right += row;
    const double bytes = decode_bytes(time.config, time.format, time.tokens) / time.decode_seconds / 1e12;
    bytes_seconds += bytes;
    bytes_bytes += bytes * bytes;
  }
  const Eigen::FullPivLU<Eigen::Matrix3d> equations(normal);
  if (!equations.isInvertible()) throw Error(ErrorCode::kUsage, "the times do not determine the device's rates");
  const Eigen::Vector3d slowness = equations.solve(right);
  for (const double value : slowness)
    if (!(value > 0))
      throw Error(ErrorCode::kUsage, "the times give a rate below 0: they do not determine the device's rates");
  device.dense = 1e14 / slowness[0];
  device.selection = 1e13 / slowness[1];
  device.sparse = 1e13 / slowness[2];
  device.bandwidth = 1e12 * bytes_bytes / bytes_seconds;
}

}  // namespace sala::eval
