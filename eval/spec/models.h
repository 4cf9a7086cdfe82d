// Finding models: by name in the family's folder, by directory, by how they were trained.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sala/model/model.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::eval {

// The folder of the family: $SALA_MODELS, else share/sala/models of the installation that the program is in, else
// models/ of the source tree.
// Throws Error{kIo} naming the places when there is none.
std::string models_folder();

struct ModelEntry {
  std::string name;       // "sala-tiny", or the directory as given
  std::string directory;  // empty for random weights
  ModelConfig config;
  bool has_weights = false;  // some *.safetensors lies in the directory
  std::string problem;       // why the config cannot be read; empty when it can
  bool planned = false;  // a member of train/family.toml whose weights are not here: only names, layers and encodings count
  bool random() const { return directory.empty() && !planned; }
  std::string architecture() const;  // sala | full | linear | sparse | full-linear | mixed
  std::string ratio() const;         // softmax : linear layers in lowest terms, "3:5"
};

// Members of the family in the order of names. A member whose config is broken is listed with its `problem`.
std::vector<ModelEntry> family_members();

// What the command line says about the model. Empty = not said.
struct ModelChoice {
  std::string model;                    // name or directory
  std::string arch, ratio, layers, pe;  // how it was trained
};

// Throws Error{kUsage} with what exists when no model fits, or several do, and with the command that trains it where
// train/family.toml describes one or could; Error{kConfig} for a ratio or a layer map that
// fits no layer count, or a config that is broken; Error{kIo} for a missing directory.
ModelEntry choose_model(const ModelChoice& choice);

// Loads the weights (or makes random ones) and applies `config`, which differs from the entry's in switches only.
Model load_model(const ModelEntry& entry, const ModelConfig& config);
// 16 hexadecimal digits over the weight files: all bytes up to 1 GiB, samples of each file beyond.
std::string weights_hash(const ModelEntry& entry);

// The model's own tokenizer.model, else the family's. `wanted` overrides. Throws Error{kConfig} when its ids do not fit the
// model.
std::unique_ptr<Tokenizer> model_tokenizer(const ModelEntry& entry, const std::string& wanted);

}  // namespace sala::eval
