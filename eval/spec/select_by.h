// --select: who chooses the blocks that sparse layers read, and how a result says so.
#pragma once

#include <string>
#include <vector>

#include "sala/model/config.h"
#include "sala/model/selection_policy.h"
#include "sala/tasks/task.h"

namespace sala::eval {

// The names of select_by_table().
std::vector<std::string> select_names();
std::string select_name(SelectBy by);
// Throws Error{kUsage} listing the names.
SelectBy select_of_name(const std::string& name);
// A sentence for results that are not the model's own; empty for learned.
std::string select_sentence(SelectBy by);

// What the engine is told about one sample. `shift` tokens (BOS) stand before its prompt. The draws of kRandom depend on the
// id of the sample, which holds task, length, index and seed, and on `seed`.
// Throws Error{kUnsupported} when evidence is needed and the sample has none.
SelectionPolicy policy_for(SelectBy by, const tasks::Sample& sample, int64_t shift, uint64_t seed);

// Throws Error{kUsage} when the choice would change nothing: no layer selects, or a prompt of `tokens` tokens runs dense.
void check_select(SelectBy by, const std::string& model, const ModelConfig& config, int64_t tokens);

}  // namespace sala::eval
