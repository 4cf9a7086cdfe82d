// train/family.toml as the program reads it: members that can be trained, whether or not their weights are here.
#pragma once

#include <string>
#include <vector>

#include "eval/spec/model_entry.h"

namespace sala::eval {

// Path of the family's file: beside the models, or where the source tree or an installation keeps it; empty when there is
// none.
std::string family_file();

// Members of the file in its order, `planned` and with the fields of the config that tell how a member is built: layers,
// encodings, family. Throws Error{kFormat} naming the line, Error{kConfig} naming the member that is wrong.
std::vector<ModelEntry> planned_members();
std::vector<ModelEntry> planned_members(const std::string& path);

// `train/train_members.py --members NAMES ...`.
std::string training_command(const std::vector<std::string>& names);

}  // namespace sala::eval
