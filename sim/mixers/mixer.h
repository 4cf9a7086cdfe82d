// What a layer mixes tokens with: one interface, one file or folder and one line of the registry for each mixer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sala/core/tensor.h"
#include "sala/model/amounts.h"
#include "sala/model/config.h"
#include "sala/model/selection_policy.h"
#include "sala/model/tap.h"
#include "sim/ops/context.h"
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

// What one sequence leaves behind in one layer; this class itself, where it leaves nothing.
class MixerState {
 public:
  virtual ~MixerState() = default;
  virtual void reset() {}
};

// Counted multiplications and additions. Formulas: spec 9.4.
struct MixerCost {
  double projections = 0;  // gates included
  Flops mixing;            // items of MixerKind::cost_names
  double total() const { return projections + mixing.total(); }
};

struct MixerInput {
  TensorView<const float, 2> x;             // [T, E] normalised hidden states
  int64_t first_position = 0;               // absolute position of row 0
  int64_t first_needed_row = 0;             // rows before it only update the state
  int64_t total_tokens = 0;                 // what the dense_len rule looks at (spec 4.1)
  Taps taps;                                // who watches this layer
  const SelectionPolicy* policy = nullptr;  // null = learned
  std::span<const int32_t> policy_blocks;   // policy->blocks(block_size), made once a sequence

  TensorView<const float, 2> needed() const { return x.slice(first_needed_row, x.extent[0]); }
};

// What the scratch memory of a session depends on beside its config.
struct SessionShape {
  int64_t chunk = 0;  // most rows of a call
  int64_t max_tokens = 0;
  ops::Workers workers;
};

// What the layers of one session share, and the encoding of this one.
struct MixerContext : ops::Context {
  PositionEncoding& encoding;
};

class Mixer {
 public:
  virtual ~Mixer() = default;
  // On the context's device, with room for `max_tokens`; never null.
  virtual std::unique_ptr<MixerState> make_state(const ops::Context& context, int64_t max_tokens) const = 0;
  // Appends the rows of in.x to the state; out: [T - first_needed_row, E], the mixer's output of the needed rows.
  // Prefill and decode are this same call: any split of a sequence into calls gives the same bytes.
  virtual void forward(const MixerContext& context, const MixerInput& in, MixerState& state,
                       TensorView<float, 2> out) const = 0;
  // Of a state with room for `max_tokens`; items of MixerKind::state_names.
  virtual Bytes state_bytes(int64_t max_tokens) const = 0;
  // Peak of what forward() takes from the workspace, the scratch memory of its ops included.
  virtual int64_t workspace_bytes(const SessionShape& shape) const = 0;
  // Prefill of `tokens` tokens from an empty state.
  virtual MixerCost prefill_cost(int64_t tokens) const = 0;
  // The token after `tokens` - 1 others.
  virtual MixerCost decode_cost(int64_t tokens) const = 0;
  // `tokens` tokens that only update the state: rows before MixerInput::first_needed_row.
  virtual MixerCost update_cost(int64_t tokens) const = 0;
};

// What holds for every layer of a kind. Code that is not the mixer's own asks for these, never for a name.
struct MixerTraits {
  bool softmax = false;  // attention over the keys that it keeps
  bool linear = false;   // a recurrent state of fixed size
  bool selects = false;  // reads chosen blocks of its keys
  bool operator==(const MixerTraits&) const = default;
};

// Heads of a layer, and the switches that shape it ("output gate").
struct LayerShape {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  std::vector<std::string> extras = {};
  bool same_heads(const LayerShape& other) const {
    return heads == other.heads && kv_heads == other.kv_heads && head_dim == other.head_dim;
  }
};

// How a layer selects: blocks of so many tokens, in sequences of at least so many.
struct SelectionShape {
  int64_t block_size = 0, from_tokens = 0;
};

struct MixerKind {
  std::string name;  // as in mixer_types
  std::string description;
  std::string source;   // paper or reference
  std::string letters;  // in layer map strings; any of them is read, the first one is written
  MixerTraits traits;
  // What the states and the mixing of its layers consist of, as the memory plan and `explain` name it. Several kinds may
  // share a name.
  std::vector<std::string> state_names, cost_names;
  bool in_every_config = false;  // the released files have its fields whatever their layers are
  // The fields of config.json that are the mixer's own, flat or in groups that it opens; their values are in a struct of the
  // mixer's, config.own<T>(). May be null.
  void (*visit_fields)(ModelConfig&, FieldVisitor&) = nullptr;
  // The one that gives its layers RoPE, which position policies set; null = none.
  bool* (*rope_switch)(ModelConfig&) = nullptr;
  // Fills its fields that have a fall-back, once the whole file is read. May be null.
  void (*resolve)(ModelConfig&) = nullptr;
  // Throws Error{kConfig} when the config contradicts itself for this mixer. May be null.
  void (*check)(const ModelConfig&) = nullptr;
  std::vector<TensorSpec> (*tensors)(const ModelConfig&) = nullptr;
  LayerShape (*shape)(const ModelConfig&) = nullptr;
  // The encoding that the released fields give its layers; null = none.
  EncodingChoice (*encoding)(const ModelConfig&) = nullptr;
  SelectionShape (*selection)(const ModelConfig&) = nullptr;        // of kinds that select
  std::vector<std::string> (*notes)(const ModelConfig&) = nullptr;  // sentences for `explain`; may be null
  // The config outlives the mixer: thousands of layers share it. `tensors` may be null: then only costs and sizes can be
  // asked.
  std::unique_ptr<Mixer> (*make)(const ModelConfig&, int layer, const LayerTensors* tensors) = nullptr;
};

// The registry (registry.cc), in listing order: the built-in kinds, then those that were registered.
const std::vector<MixerKind>& mixer_kinds();
// Adds a mixer from outside the tree, before the program does anything else: config.json, layer maps, memory plans, weights
// and runs know it from then on. Throws Error{kConfig} for a name or a letter that is taken, or a kind that lacks a part.
void register_mixer(MixerKind kind);
// Throws Error{kConfig} listing the names.
const MixerKind& find_mixer(const std::string& name);
// The first kind with exactly these traits: the one that is meant where no name is given.
const MixerKind& first_mixer(MixerTraits traits);
// Whether some layer's mixer has the trait: has_layer(config, &MixerTraits::selects).
bool has_layer(const ModelConfig& config, bool MixerTraits::*trait);
// The kinds whose fields and items this config shows: those in use and those of every config, in listing order.
std::vector<const MixerKind*> shown_kinds(const ModelConfig& config);
// The encoding of a layer: of sala_lab.position_encodings, else of the released fields. Throws Error{kConfig}.
EncodingChoice layer_encoding(const ModelConfig& config, int64_t layer);
// Whether some softmax layer has a position encoding.
bool softmax_has_positions(const ModelConfig& config);
// Whether the mixer of some layer has this field: "sparse_config.topk".
bool uses_field(const ModelConfig& config, const std::string& path);
// Length from which on some layer selects blocks; none when no layer ever does.
std::optional<int64_t> selects_from(const ModelConfig& config);

}  // namespace sala
