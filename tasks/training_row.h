// What the rows of all tasks share: writing turns, and how much of a row is questions.
#pragma once

#include <optional>
#include <string>

#include "sala/core/rng.h"
#include "sala/tasks/training.h"

namespace sala::tasks {

// A row under construction: BOS, then turns of text (read) and answer (learned, its EOS included).
class RowWriter {
 public:
  RowWriter(const TrainingRequest& request, const Tokenizer& tokenizer);
  int64_t room() const { return request_.row_tokens - static_cast<int64_t>(row_.ids.size()); }
  bool empty() const { return turns_ == 0; }
  int64_t turns() const { return turns_; }
  // Appends text, answer and EOS when they fit; false and nothing changed when they do not.
  bool append(const std::string& text, const std::string& answer);
  // The row, padded with EOS. The writer is used up.
  TrainingRow finish();

 private:
  const TrainingRequest& request_;
  const Tokenizer& tokenizer_;
  TrainingRow row_;
  int64_t turns_ = 0;
};

// Most of a row of this length that is questions and answers: short rows teach many look-ups, long rows are nearly all
// haystack.
double most_turns_share(int64_t row_tokens);

// Of the rows of a task with rows of its own: samples as the evaluation has them.
inline constexpr double kAsEvaluatedShare = 0.3;

// Samples of the training split one after the other, as many as fit; one that fills the row with request.as_evaluated.
// Empty when not one fits.
std::optional<TrainingRow> try_sample_row(const TrainingRows& rows, const Task& task, const TrainingRequest& request,
                                          Rng& rng, const Tokenizer& tokenizer);
// Of a task with rows of its own: a sample_row() with request.as_evaluated, and for kAsEvaluatedShare of the rows where
// samples fit; else empty, and the task makes its own.
std::optional<TrainingRow> row_as_evaluated(const TrainingRows& rows, const Task& task, const TrainingRequest& request,
                                            Rng& rng, const Tokenizer& tokenizer);
// Throws Error{kUsage} when not one fits.
TrainingRow sample_row(const TrainingRows& rows, const Task& task, const TrainingRequest& request, Rng& rng,
                       const Tokenizer& tokenizer);

}  // namespace sala::tasks
