// Runs the samples of a plan one after another and keeps what came out.
#pragma once

#include <functional>

#include "eval/run/progress.h"
#include "eval/spec/plan.h"
#include "eval/store/directory.h"
#include "eval/subject/engine.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::eval {

struct RunnerParts {
  Engine& engine;
  const Tokenizer& tokenizer;
  RunDirectory& directory;
  Progress& progress;
  std::function<void()> check_stop;          // may throw to stop; asked between chunks and tokens
  std::function<void(const Cell&)> on_cell;  // after the last sample of a cell that was run here
};

// Runs every sample of the plan that the directory lacks; each is on the disk before the next begins. The engine sees ids
// and nothing else; the answer that is scored is what it returned, decoded.
void run_samples(const RunPlan& plan, const RunnerParts& parts);

}  // namespace sala::eval
