// Models with random weights, for tests and speed measurements: embeddings N(0, 1), matrices N(0, 1/fan_in), norms near 1.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sala/model/model.h"
#include "sim/model/weights.h"

namespace sala {

// Tensors are made on demand; each depends on (seed, name, shape) alone.
class RandomSource final : public WeightSource {
 public:
  RandomSource(const ModelConfig& config, uint64_t seed);
  std::string description() const override { return "random weights"; }
  std::vector<std::string> names() const override;
  std::vector<int64_t> shape(const std::string& name) const override { return shapes_.at(name); }
  void read(const std::string& name, std::span<float> out) const override;

 private:
  uint64_t seed_;
  std::map<std::string, std::vector<int64_t>> shapes_;
};

// Throws Error{kConfig} for a config that does not validate.
Model random_model(const ModelConfig& config, uint64_t seed);

}  // namespace sala
