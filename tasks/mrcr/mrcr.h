// The MRCR tasks: `mrcr_2`, `mrcr_4`, `mrcr_8` on built-in conversations (`mrcr-synth`), and the same on official rows of
// the user's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/record.h"
#include "sala/tasks/task.h"
#include "sala/tasks/training.h"
#include "tasks/mrcr/conversation.h"

namespace sala::tasks {

inline constexpr std::string_view kMrcrSynth = "mrcr-synth";         // what made the built-in conversations
inline constexpr std::string_view kMrcrOfficial = "mrcr_official_";  // names of tasks of official rows, before the needles

// The task of rows with so many equal requests: `mrcr_2`, or `mrcr_official_2`.
std::string mrcr_task_name(int64_t needles, bool official);

// mrcr_2, mrcr_4 or mrcr_8. Group mrcr. `turns` are the conversation; `input` + `answer_prefix` its plain rendering
// (conversation.h). outputs = {hash + reply}; evidence = the tokens of that reply. score = the published grader in both
// modes; diagnostics as in grader.h.
std::unique_ptr<const Task> make_mrcr_task(int64_t needles);

// Official rows with `needles` equal requests as a task named `mrcr_official_<needles>`. A request's length names the bin by
// its upper bound (131072 = (65536, 131072]); sample i is row i of the bin. The prompt is the row's whatever the length:
// bins count other tokens than the tokenizer in use, so the length is no limit. `tokens` of each row must be counted. Throws
// Error{kUsage} for a row that the bin does not have.
std::unique_ptr<const Task> make_official_mrcr_task(std::shared_ptr<const std::vector<MrcrRow>> rows, int64_t needles);

// Training rows of mrcr_<needles>: short replies and a question for many of them, from rows of 512 tokens on, and samples
// as the evaluation has them where they fit. Throws Error{kUsage} for a row too short for one question.
std::unique_ptr<const TrainingRows> make_mrcr_rows(int64_t needles);

// Task::record() of these tasks: the columns of openai/mrcr (spec tasks 3.2) and, after them, what a built-in sample adds:
// bin, ordinal, format, topic, tokens, generator, seed. `tokenizer` counts the tokens of the bin.
Record mrcr_record(const Sample& sample, const Tokenizer& tokenizer, const std::string& generator = std::string(kMrcrSynth));

}  // namespace sala::tasks
