// Samples of a run that is done, made and answered again: what comes out otherwise than it was recorded.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/run/runner.h"
#include "eval/spec/plan.h"
#include "eval/store/directory.h"
#include "sala/tasks/user_files.h"

namespace sala::eval {

// The plan that run.json says, without the fingerprints of weights and tokenizer: whoever opens those compares them. `files`
// are the user's and must outlive it. Throws Error{kConfig} where the run was made of other files, Error{kUnsupported}
// naming what this build computes otherwise or does not know, Error{kFormat} for what no run writes.
RunPlan plan_again(const nlohmann::ordered_json& saved, const tasks::UserFiles& files, const std::string& path);

// Which of the samples that are done.
struct VerifyChoice {
  int64_t samples = 2;           // of each cell, drawn by the hash of their ids: the same ones every time
  bool all = false;              // every one
  std::vector<std::string> ids;  // these, when it is not empty
};
// Leaves them in the plan, and no cell without any. Throws Error{kUsage} for an id that the run does not have.
void choose_samples(RunPlan& plan, const RunDirectory& directory, const VerifyChoice& choice);

// What differs first, sample before answer before score before statistics: "the answer: token 3 is 517, was 518". Empty when
// all is the same.
std::string first_difference(const Answered& was, const Answered& now);

}  // namespace sala::eval
