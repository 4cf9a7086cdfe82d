// Position encodings of queries and keys, and the policies that say which layers use one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sala/core/tensor.h"
#include "sala/model/config.h"
#include "sim/ops/context.h"

namespace sala {

// Rotates heads in place. One object serves all layers of a kind in one session; it keeps tables of the last chunk.
class PositionEncoding {
 public:
  virtual ~PositionEncoding() = default;
  // x: [T, H, D]; row t stands at position first_position + t.
  virtual void rotate(const ops::Context& context, int64_t first_position, TensorView<float, 3> x) = 0;
  virtual bool is_identity() const { return false; }
  // Bytes kept for chunks of `chunk` rows.
  virtual int64_t table_bytes(int64_t chunk) const = 0;
};

struct RopeParams {
  int64_t head_dim = 0;
  double theta = 10000;
  const YarnConfig* yarn = nullptr;  // for "yarn"
};

struct PositionEncodingKind {
  std::string name;
  std::string description;
  std::unique_ptr<PositionEncoding> (*make)(const RopeParams&) = nullptr;
};
// rope, yarn, nope.
const std::vector<PositionEncodingKind>& position_encodings();
std::unique_ptr<PositionEncoding> make_position_encoding(const std::string& name, const RopeParams& params);
// As the config asks for softmax and for lightning layers.
std::unique_ptr<PositionEncoding> softmax_encoding(const ModelConfig& config);
std::unique_ptr<PositionEncoding> lightning_encoding(const ModelConfig& config);

// Inverse frequencies [D/2] and the factor on cos and sin. yarn: Hugging Face's rule with truncated bounds.
struct RopeFrequencies {
  std::vector<float> inv_freq;
  float attention_factor = 1;
};
RopeFrequencies rope_frequencies(int64_t head_dim, double theta);
RopeFrequencies yarn_frequencies(int64_t head_dim, double theta, const YarnConfig& yarn);

// Which layers are rotated.
struct PositionPolicy {
  std::string name;
  std::string description;
  bool lightning_use_rope = false, attn_use_rope = false;
};
const std::vector<PositionPolicy>& position_policies();

}  // namespace sala
