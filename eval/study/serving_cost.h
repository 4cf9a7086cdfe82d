// What a model costs on a GPU that serves it: operations, bytes moved, memory (spec 9), and from them the time (a roofline).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sala/model/config.h"

namespace sala::eval {

enum class WeightFormat {
  kBf16,
  kInt4,  // GPTQ, groups of 128: the projections and the FFN; gates, norms, embedding and head stay bf16 (spec 8)
};

// Bytes of the weights. `read_only_once`: without the embedding, of which a token reads one row.
double weight_bytes(const ModelConfig& config, WeightFormat format, bool without_embedding = false);
// Of a sequence: keys, values and compressed keys in bf16, linear states in float32 (spec 9.2).
double cache_bytes(const ModelConfig& config, int64_t tokens);
// That one decoded token reads or writes when `tokens` are in the sequence (spec 9.4).
double decode_bytes(const ModelConfig& config, WeightFormat format, int64_t tokens);

// Operations of a prefill by how fast a GPU does them: large matrices and dense attention; scores of all blocks; attention
// on selected blocks and recurrences.
struct PrefillWork {
  double dense = 0, selection = 0, sparse = 0;
  double total() const { return dense + selection + sparse; }
};
// `pruned`: what a session does when only the last token's logits are read (sala/model/cost.h).
PrefillWork prefill_work(const ModelConfig& config, int64_t tokens, bool pruned = false);

// configs/devices/*.toml. Operations and bytes a second.
struct DeviceRates {
  std::string name, source;
  double memory_bytes = 0, usable = 1;  // the share of the memory that an engine gives to weights and cache
  double dense = 0, selection = 0, sparse = 0, bandwidth = 0;
};
// Throws Error{kIo}, Error{kFormat} naming the field that is missing or not positive.
DeviceRates read_device(const std::string& path);

double seconds_of(const PrefillWork& work, const DeviceRates& device);
bool fits(const ModelConfig& config, WeightFormat format, int64_t tokens, const DeviceRates& device);
// The larger of computing and of reading the weights once.
double prefill_seconds(const ModelConfig& config, WeightFormat format, int64_t tokens, const DeviceRates& device);
double decode_seconds(const ModelConfig& config, WeightFormat format, int64_t tokens, const DeviceRates& device);

// What was measured on a device.
struct ServingTime {
  ModelConfig config;
  WeightFormat format = WeightFormat::kBf16;
  int64_t tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;  // decode: of one token
};
// The four rates, by least squares of the relative errors: three of the prefill together, the bandwidth of the decoding.
// Throws Error{kUsage} when the times do not determine them.
void calibrate(DeviceRates& device, std::span<const ServingTime> times);

}  // namespace sala::eval
