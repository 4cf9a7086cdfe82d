// A model: its config, and its weights as the kernels of its sessions want them. Shared by sessions, also at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sala/model/config.h"

namespace sala {

struct ModelWeights;  // sim/model/weights.h
class WeightSource;
namespace ops {
struct Context;
}

class Model {
 public:
  using OpenWeights = std::function<std::unique_ptr<WeightSource>()>;

  // Reads `directory`/config.json and looks through its *.safetensors, which have to stay until the first session has been
  // made. Throws Error{kIo, kFormat, kConfig} naming the file and field.
  static Model load(const std::string& directory);
  // Opens the weights once to see whether they fit the config, and again whenever they are packed.
  Model(ModelConfig config, OpenWeights open);
  ~Model();
  Model(Model&&) noexcept;

  const ModelConfig& config() const { return config_; }
  // Packed for the kernels and on the device of a session: read and made for the first one, kept, and shared by all whose
  // kernels read the same layout. Only packed matrices stay in memory; another layout is read anew.
  const ModelWeights& weights(const ops::Context& context) const;
  int64_t parameter_count() const;
  const std::vector<std::string>& notes() const { return notes_; }  // of the checkpoint: sentences for the user
  // Changes switches that need no training (sparse_config, logit scaling, ...): the layer map, shapes and encodings stay.
  void override_config(const ModelConfig& changed);

 private:
  ModelConfig config_;
  OpenWeights open_;
  std::vector<std::string> notes_;
  struct Packs;
  std::unique_ptr<Packs> packs_;
};

}  // namespace sala
