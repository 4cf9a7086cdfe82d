// Has the samples of a job answered and scored.
#pragma once

#include "eval/run/job.h"

namespace sala::eval {

// Every sample of the plan that the directory lacks, into its journal. on_cell: after the last sample of a cell that was run
// here, in the caller's thread. check_subject() has passed.
void run_samples(const Job& job, const std::function<void(const Cell&)>& on_cell = {});

}  // namespace sala::eval
