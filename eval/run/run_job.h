// A job from its first sample to its last file.
#pragma once

#include "eval/report/results.h"
#include "eval/run/job.h"

namespace sala::eval {

// Runs every sample of the plan that the directory lacks and keeps the files of the run (run_file.h, summary.json,
// summary.md) up to date: each sample is in the journal when it is done, each cell in a file of its own, the rest now and
// then and at the end. The same results for any number of samples at once. What stops it is rethrown with everything saved;
// where that fails, what is thrown is an Error that says what is not.
RunResults run_job(const Job& job);

}  // namespace sala::eval
