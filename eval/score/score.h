// Scores files of predictions by the tasks' own scorers.
#pragma once

#include "eval/score/scored.h"

namespace sala::eval {

// Broken lines, duplicates, unknown tasks and missing samples become problems, and the rest is scored. Threads share the
// lines of a file; at most some hundred lines are in memory. Throws Error{kIo} for a path that cannot be read,
// Error{kFormat} when no line could be scored, Error{kUsage} when two folders answer one task at one length: they are two
// models or two runs.
Scored score_predictions(const ScoreRequest& request);

// One JSON object a line for every record: task, length, index, score, id, place (FILE:LINE) and diagnostics.
std::string sample_lines(const Scored& scored);

}  // namespace sala::eval
