// A loaded model: config + weights, immutable, shared by sessions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sala/model/config.h"

namespace sala {

struct ModelWeights;  // sim/model/weights.h

class Model {
 public:
  // Reads `directory`/config.json and its *.safetensors. Throws Error{kIo, kFormat, kConfig} naming the file and field.
  static Model load(const std::string& directory);
  Model(ModelConfig config, std::unique_ptr<ModelWeights> weights);
  ~Model();
  Model(Model&&) noexcept;

  const ModelConfig& config() const { return config_; }
  const ModelWeights& weights() const { return *weights_; }
  int64_t parameter_count() const;
  // Changes switches that need no training (sparse_config, logit scaling, ...): the layer map, shapes and encodings stay.
  void override_config(const ModelConfig& changed);

 private:
  ModelConfig config_;
  std::unique_ptr<ModelWeights> weights_;
};

}  // namespace sala
