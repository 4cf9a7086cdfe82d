// Has the samples of a job answered and scored.
#pragma once

#include "eval/run/job.h"

namespace sala::eval {

// A sample that was answered and scored; nothing is written.
struct Answered {
  SampleRecord record;
  SampleArrays arrays;  // what statistics saw
};
// What is told while it is: tokens of the prompt (the prefix included) and of the answer so far. May throw to stop.
struct AnswerHooks {
  std::function<void(int64_t done, int64_t total)> on_prompt;
  std::function<void(int64_t generated)> on_token;
};
Answered answer_sample(const RunPlan& plan, const Tokenizer& tokenizer, const Cell& cell, int64_t index,
                       const SampleSource::Made& made, Subject& subject, const AnswerHooks& hooks = {});

// Every sample of the plan that the directory lacks, into its journal. on_cell: after the last sample of a cell that was run
// here, in the caller's thread. check_subject() has passed.
void run_samples(const Job& job, const std::function<void(const Cell&)>& on_cell = {});

}  // namespace sala::eval
