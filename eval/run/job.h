// One run: what is computed, who answers, where it is kept. A command makes one job and prints its results; a sweep makes
// many.
#pragma once

#include <functional>

#include "eval/run/progress.h"
#include "eval/run/sample_source.h"
#include "eval/spec/plan.h"
#include "eval/spec/provenance.h"
#include "eval/store/directory.h"
#include "eval/subject/subject.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::eval {

// Nothing is owned.
struct Job {
  const RunPlan& plan;
  const Tokenizer& tokenizer;
  SampleSource& samples;
  Subjects& subjects;
  RunDirectory& directory;
  Progress& progress;
  Provenance provenance = {};
  std::function<void()> check_stop = {};          // may throw to stop; asked between chunks and tokens, by any thread
  std::function<void(const Cell&)> on_cell = {};  // after the last sample of a cell that was run here
};

}  // namespace sala::eval
