// What is refused before anything is loaded or written.
#pragma once

#include "eval/run/sample_source.h"
#include "eval/spec/plan.h"
#include "eval/subject/subject.h"

namespace sala::eval {

// Fills in Cell::most_tokens where a length does not limit a cell's samples.
void measure_samples(RunPlan& plan, SampleSource& samples);
// Throws Error{kUsage} for a length that is too short for its task, and for a selection policy that would change nothing,
// Error{kUnsupported} for one that knows nothing.
void check_samples(const RunPlan& plan, SampleSource& samples);
// Throws Error{kUnsupported} naming what the run needs and the subject cannot do.
void check_subject(const RunPlan& plan, const Subjects& subjects);

}  // namespace sala::eval
