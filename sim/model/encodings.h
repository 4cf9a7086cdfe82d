// The position encodings of a model's layers.
#pragma once

#include <memory>
#include <vector>

#include "sim/mixers/mixer.h"

namespace sala {

// One object for every encoding and width of heads, shared by the layers that have it.
class LayerEncodings {
 public:
  explicit LayerEncodings(const ModelConfig& config);
  PositionEncoding& of(int layer) const { return *of_layer_[static_cast<std::size_t>(layer)]; }
  int64_t table_bytes(int64_t chunk) const;

 private:
  std::vector<std::unique_ptr<PositionEncoding>> made_;
  std::vector<PositionEncoding*> of_layer_;
};

}  // namespace sala
