// Finding models: by name in the family's folder, by directory, by how they were trained.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eval/spec/model_entry.h"
#include "sala/model/model.h"

namespace sala::eval {

// Members of the family in the order of names. A member whose config is broken is listed with its `problem`.
std::vector<ModelEntry> family_members();

// What the command line says about the model. Empty = not said.
struct ModelChoice {
  std::string model;                    // name or directory
  std::string arch, ratio, layers, pe;  // how it was trained
};

// The choice is among the members of train/family.toml, whether or not their weights are here, and others that are here.
// Several may fit: the default member is taken, else the first of train/family.toml. One whose weights are not here is
// refused; another is never taken in its place.
// Throws Error{kUsage} when no model fits, the right one is not here, or several of one's own fit, with what is near and
// with the command that trains what is missing; Error{kConfig} for a ratio or a layer map that
// fits no layer count, or a config that is broken; Error{kIo} for a missing directory.
ModelEntry choose_model(const ModelChoice& choice);

// Loads the weights (or makes random ones) and applies `config`, which differs from the entry's in switches only.
Model load_model(const ModelEntry& entry, const ModelConfig& config);
// 16 hexadecimal digits over all bytes of the weight files. `progress` is told how many of them are read.
std::string weights_hash(const ModelEntry& entry, const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace sala::eval
