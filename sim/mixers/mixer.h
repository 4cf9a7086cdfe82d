// What a layer mixes tokens with: one interface, one file and one registry line per mixer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sala/core/tensor.h"
#include "sala/model/config.h"
#include "sala/model/probe.h"
#include "sala/model/selection_policy.h"
#include "sim/mixers/workspace.h"
#include "sim/ops/kernels.h"
#include "sim/ops/linear/linear.h"
#include "sim/posenc/posenc.h"

namespace sala {

// Name after `model.layers.I.` and shape of a tensor.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
};

// The mixer's tensors of one layer, packed once and shared by all sessions.
class LayerTensors {
 public:
  void add_matrix(const std::string& name, ops::PackedMatrix matrix) { matrices_.insert_or_assign(name, std::move(matrix)); }
  void add_vector(const std::string& name, Buffer<float> vector) { vectors_.insert_or_assign(name, std::move(vector)); }
  const ops::PackedMatrix& matrix(const std::string& name) const { return matrices_.at(name); }
  TensorView<const float, 1> vector(const std::string& name) const {
    const Buffer<float>& found = vectors_.at(name);
    return found.view(found.size());
  }
  int64_t bytes() const;

 private:
  std::map<std::string, ops::PackedMatrix> matrices_;
  std::map<std::string, Buffer<float>> vectors_;
};

// What one sequence leaves behind in one layer.
class MixerState {
 public:
  virtual ~MixerState() = default;
  virtual void reset() = 0;
};

// Bytes of a state with room for `max_tokens`, by kind.
struct StateBytes {
  int64_t kv_cache = 0, compressed_keys = 0, linear_state = 0;
  int64_t total() const { return kv_cache + compressed_keys + linear_state; }
};

// Counted multiplications and additions. Formulas: spec 9.4.
struct MixerCost {
  double linear_flops = 0;     // projections and gates
  double selection_flops = 0;  // block scores
  double mixing_flops = 0;     // attention or linear recurrence
  double total() const { return linear_flops + selection_flops + mixing_flops; }
};

struct MixerInput {
  TensorView<const float, 2> x;             // [T, E] normalised hidden states
  int64_t first_position = 0;               // absolute position of row 0
  int64_t first_needed_row = 0;             // rows before it only update the state
  int64_t total_tokens = 0;                 // what the dense_len rule looks at (spec 4.1)
  SessionProbe* probe = nullptr;            // may be null
  const SelectionPolicy* policy = nullptr;  // null = learned
  std::span<const int32_t> policy_blocks;   // policy->blocks(block_size), made once a sequence
};

// Shared by the layers of one session.
struct MixerContext {
  const ops::Kernels& kernels;
  bool bf16 = false;  // round at the reference's points (spec section 2)
  Workspace& workspace;
  PositionEncoding& softmax_encoding;
  PositionEncoding& lightning_encoding;
};

class Mixer {
 public:
  virtual ~Mixer() = default;
  virtual std::unique_ptr<MixerState> make_state(int64_t max_tokens) const = 0;
  // Appends the rows of in.x to the state; out: [T - first_needed_row, E], the mixer's output of the needed rows.
  // Prefill and decode are this same call: any split of a sequence into calls gives the same bytes.
  virtual void forward(const MixerContext& context, const MixerInput& in, MixerState& state,
                       TensorView<float, 2> out) const = 0;
  virtual StateBytes state_bytes(int64_t max_tokens) const = 0;
  // Peak of what forward() takes from the workspace for `chunk` rows.
  virtual int64_t workspace_bytes(int64_t chunk) const = 0;
  // Prefill of `tokens` tokens from an empty state.
  virtual MixerCost prefill_cost(int64_t tokens) const = 0;
  // The token after `tokens` - 1 others.
  virtual MixerCost decode_cost(int64_t tokens) const = 0;
};

struct MixerKind {
  std::string name;  // as in mixer_types
  std::string description;
  std::string source;    // paper or reference
  bool softmax = false;  // false: linear
  char letter = '?';     // in layer map strings
  // Throws Error{kConfig} when the config contradicts itself for this mixer.
  void (*check)(const ModelConfig&) = nullptr;
  std::vector<TensorSpec> (*tensors)(const ModelConfig&) = nullptr;
  // `tensors` may be null: then only costs and sizes can be asked.
  std::unique_ptr<Mixer> (*make)(const ModelConfig&, int layer, const LayerTensors* tensors) = nullptr;
};

// The registry (registry.cc), in listing order.
const std::vector<MixerKind>& mixer_kinds();
// Throws Error{kConfig} listing the names.
const MixerKind& find_mixer(const std::string& name);

}  // namespace sala
