// `upstream` mode: RULER's own strings, sizing and random streams (spec tasks 1.3 to 1.9 and appendix A), its oddities
// included.
//
// Upstream draws the size search and all samples of a task from one stream. Sample i is therefore made by replaying the
// search (about 20 full prompts) and samples 0 to i - 1; a stream pays for that once. What differs from upstream, knowingly:
//  - sentences are split by rule, not by NLTK's Punkt (tasks/text/sentences.h);
//  - where upstream retries for ever (the smallest size does not fit), this gives up with Error{kUsage};
//  - the built-in texts stand in for files that the user did not give: the endless essay has no end to repeat from, the long
//  word list of
//    cwe is kPseudoWords pseudo-words, and the question collections are the first articles of qa-synth-1 and qa-synth-2.
// The split rule does not hold here: samples of the built-in texts may share words with training rows.
#pragma once

#include <memory>

#include "tasks/ruler/ruler_task.h"

namespace sala::tasks {

// Throws Error{kUsage} for training rows, for a seed above 2^32 - 1 (NumPy's limit) and where upstream would crash or never
// end.
Sample upstream_sample(const RulerTask& task, const SampleRequest& request, const Tokenizer& tokenizer);
std::unique_ptr<SampleStream> open_upstream_stream(const RulerTask& task, const SampleRequest& first,
                                                   const Tokenizer& tokenizer);

}  // namespace sala::tasks
