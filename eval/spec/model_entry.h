// A model that can be chosen: its name, where it lies, its configuration.
#pragma once

#include <string>
#include <vector>

#include "sala/model/config.h"

namespace sala::eval {

// The folder of the family: $SALA_MODELS, else share/sala/models of the installation that the program is in, else
// models/ of the source tree.
// Throws Error{kIo} naming the places when there is none.
std::string models_folder();

// A file or folder of the installation or the source tree: "configs/paper/table3.csv". Throws Error{kIo} naming the places.
std::string shared_path(const std::string& name);

struct ModelEntry {
  std::string name;       // "sala-tiny", or the directory as given
  std::string directory;  // empty for random weights
  ModelConfig config;
  bool has_weights = false;  // some *.safetensors lies in the directory
  std::string problem;       // why the config cannot be read; empty when it can
  bool planned = false;  // a member of train/family.toml whose weights are not here: only names, layers and encodings count
  bool random() const { return directory.empty() && !planned; }
  bool family() const { return !config.sala_lab.family.empty(); }  // trained here (docs/training.md)
  std::string architecture() const;                                // one of architecture_names()
  std::string ratio() const;                                       // softmax : linear layers in lowest terms, "3:5"
};

// By what the layers of a model can be: softmax layers that select or not, linear layers, or both.
const std::vector<std::string>& architecture_names();

}  // namespace sala::eval
