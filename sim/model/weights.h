// A model's weights, packed for the kernels of a session. Tensor names: spec section 8.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sala/core/tensor.h"
#include "sala/model/config.h"
#include "sala/model/safetensors.h"
#include "sim/mixers/mixer.h"
#include "sim/ops/linear/linear.h"

namespace sala {

// Where tensors come from: a checkpoint, or random numbers.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual std::string description() const = 0;  // for messages
  virtual std::vector<std::string> names() const = 0;
  virtual std::vector<int64_t> shape(const std::string& name) const = 0;
  virtual void read(const std::string& name, std::span<float> out) const = 0;
  // Whether two tensors of one shape hold the same values.
  virtual bool same(const std::string& one, const std::string& other) const;
  virtual std::vector<std::string> notes() const { return {}; }  // sentences for the user
};

class CheckpointSource final : public WeightSource {
 public:
  // Throws Error{kUnsupported} for a folder that holds quantised weights or an adapter.
  explicit CheckpointSource(std::string directory);
  std::string description() const override { return directory_; }
  std::vector<std::string> names() const override { return checkpoint_.names(); }
  std::vector<int64_t> shape(const std::string& name) const override;
  void read(const std::string& name, std::span<float> out) const override;
  bool same(const std::string& one, const std::string& other) const override;
  std::vector<std::string> notes() const override { return checkpoint_.notes(); }

 private:
  std::string directory_;
  SafetensorsCheckpoint checkpoint_;
};

// Every tensor that a checkpoint of this config has, in file order, full names.
std::vector<TensorSpec> model_tensors(const ModelConfig& config);

struct LayerWeights {
  Buffer<float> input_norm, post_norm;  // [E]
  ops::PackedMatrix gate, up, down;     // [I, E], [I, E], [E, I]
  LayerTensors mixer;
};

struct ModelWeights {
  Buffer<float> embedding;   // [V, E]
  Buffer<float> final_norm;  // [E]
  ops::PackedMatrix head;    // [V, E]; of the embedding when tied
  std::vector<LayerWeights> layers;
  int64_t bytes() const;
};

// Throws Error{kFormat} that names missing, surplus and wrong-shaped tensors. Rotary buffers are skipped, and a stored head
// of a model that ties it to the embedding when it has the embedding's values.
void check_tensors(const ModelConfig& config, const WeightSource& source);
// Reads and packs for the context's kernels, one tensor after the other: no plain copy of a matrix stays. Throws as
// check_tensors(), and Error{kFormat} naming a tensor that holds a NaN or an infinity.
std::unique_ptr<ModelWeights> build_weights(const ops::Context& context, const ModelConfig& config,
                                            const WeightSource& source);

// Writes directory/config.json and directory/model.safetensors (the directory must exist). Throws Error{kIo}.
void save_model(const std::string& directory, const ModelConfig& config, const WeightSource& source, DType dtype);

}  // namespace sala
