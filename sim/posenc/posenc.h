// Position encodings of queries and keys: the kinds, and the policies that say which layers have one.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sala/core/tensor.h"
#include "sala/model/config.h"
#include "sim/ops/context.h"

namespace sala {

// Rotates heads in place. The layers of one session that have the same encoding share an object; it keeps tables of the last
// chunk.
class PositionEncoding {
 public:
  virtual ~PositionEncoding() = default;
  // x: [T, H, D]; row t stands at position first_position + t.
  virtual void rotate(const ops::Context& context, int64_t first_position, TensorView<float, 3> x) = 0;
  virtual bool is_identity() const { return false; }
  // Bytes kept for chunks of `chunk` rows.
  virtual int64_t table_bytes(int64_t chunk) const = 0;
};

// A number that an encoding takes. Without a default it is required, unless `optional`.
struct EncodingParam {
  std::string name, help;
  std::optional<double> fallback = {};
  bool optional = false;
  double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();
};
using EncodingParams = std::map<std::string, double>;

struct PositionEncodingKind {
  std::string name;   // as in sala_lab.position_encodings
  std::string title;  // as `explain` shows it
  std::string description;
  std::vector<EncodingParam> params = {};
  // What the config says of the params elsewhere; stands before the defaults. May be null.
  EncodingParams (*released)(const ModelConfig&) = nullptr;
  std::string (*note)(const EncodingParams&) = nullptr;  // a sentence for `explain`; may be null
  // Of heads of `head_dim` numbers, with params that fit `params`. Throws Error{kConfig} for a head_dim that it cannot
  // serve.
  std::unique_ptr<PositionEncoding> (*make)(int64_t head_dim, const EncodingParams& params) = nullptr;
};

// The registry (registry.cc), in listing order: none, RoPE, YaRN, then those that were registered.
const std::vector<PositionEncodingKind>& position_encodings();
// Adds an encoding from outside the tree, before the program does anything else. Throws Error{kConfig} for a taken name.
void register_position_encoding(PositionEncodingKind kind);
// Throws Error{kConfig} listing the names.
const PositionEncodingKind& find_position_encoding(const std::string& name);
// The choice with every number. Throws Error{kConfig} for a name or a number that does not exist, is missing or out of
// range.
EncodingChoice complete_encoding(const ModelConfig& config, const EncodingChoice& choice);
// `choice` is complete.
std::unique_ptr<PositionEncoding> make_position_encoding(const EncodingChoice& choice, int64_t head_dim);

// The encodings that the released fields know.
EncodingChoice no_encoding();
EncodingChoice rope_encoding(double theta);
EncodingChoice yarn_encoding(double theta, const YarnConfig& yarn);
PositionEncodingKind nope_kind();
PositionEncodingKind rope_kind();
PositionEncodingKind yarn_kind();

// Which layers the released fields rotate with RoPE.
struct PositionPolicy {
  std::string name;
  std::string description;
  bool linear_layers = false, softmax_layers = false;
};
const std::vector<PositionPolicy>& position_policies();

}  // namespace sala
