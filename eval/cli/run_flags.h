// The flags of `run` and what they ask for; shared by run and sweep.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "eval/cli/model_flags.h"
#include "eval/cli/user_flags.h"
#include "eval/spec/model_tokens.h"
#include "eval/spec/plan.h"

namespace sala::eval {

struct RunFlags {
  std::string tasks, lengths, sample, probe = "answer", select = "learned", out, output = "table", min_score, tokenizer,
                                      config;
  int64_t samples = 0;
  uint64_t seed = 42;
  bool resume = false, other_numerics = false, quiet = false;
  ModelFlags model;
  EngineFlags engine;
  UserFlags user;
};
void add_run_flags(Command& command, RunFlags& flags);

// Tasks, lengths and samples: lengths ascending, tasks as asked for. Throws Error{kUsage}.
std::vector<Cell> cells_of(const RunFlags& flags, const tasks::UserFiles& files);

// Who answers.
struct RunModel {
  ModelEntry entry;
  std::unique_ptr<Tokenizer> tokenizer;
  ModelConfig config;  // with every switch
  TokenRules rules;
};
// Throws as choose_model(), model_tokenizer(), configured() and token_rules().
RunModel choose_run_model(const RunFlags& flags);

// All of a plan but the hash of the weights. `files` must outlive it.
RunPlan make_plan(const RunFlags& flags, const RunModel& chosen, const tasks::UserFiles& files);

}  // namespace sala::eval
