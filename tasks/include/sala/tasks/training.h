// Training rows of packed token ids with a loss mask, and the file that holds them (docs/file_formats.md, "packed tokens").
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sala/tasks/task.h"

namespace sala {
class Rng;
}

namespace sala::tasks {

struct TrainingRequest {
  std::vector<std::pair<std::string, double>> mix;  // task name and weight; a row's task is drawn by weight
  int64_t row_tokens = 512;
  int64_t rows = 1;
  uint64_t seed = 1;
  Split split = Split::kTrain;
  bool length_jitter = false;  // also shorter haystacks, so that questions stand at many positions
  bool as_evaluated = false;   // rows like evaluation samples: their number of keys, one question right after the haystack
  int32_t bos_id = 1, eos_id = 2;
};

struct TrainingRow {
  std::vector<uint16_t> ids;  // [row_tokens], padded with eos_id
  std::vector<uint8_t> mask;  // [row_tokens], 1 = answer token (its EOS included)
};

// How a model is taught a task. As it stands it serves every task; one that teaches in another way derives from it.
class TrainingRows {
 public:
  virtual ~TrainingRows() = default;
  // What a model is taught to answer. Here: the references, joined by ", "; the first of them where any one counts.
  virtual std::string answer(const Task& task, const Sample& sample) const;
  // Tokens to leave for that answer in a row. Here: tokens_to_generate, at most 64.
  virtual int64_t answer_room(const Task& task) const;
  // A packed row. Here: samples of the training split one after the other, as many as fit. Throws Error{kUsage} when
  // request.row_tokens cannot hold one.
  virtual TrainingRow row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const;
};

// register_task() of task.h for a task that is taught in its own way.
void register_task(std::unique_ptr<const Task> task, std::unique_ptr<const TrainingRows> rows);

// How a task of the registry is taught; TrainingRows as it stands for any other.
const TrainingRows& training_rows(const Task& task);

// Row `index`, a pure function of the request and the index; its task is drawn by weight. A row is BOS, a haystack, the
// question exactly as the evaluation asks it, its answer and EOS; then further questions on the same haystack that were not
// asked yet, or further samples, until the row is full (TrainingRows::row). Throws Error{kUsage} when row_tokens cannot hold
// one question and for a task that is not in the registry.
TrainingRow make_training_row(const TrainingRequest& request, int64_t index, const Tokenizer& tokenizer);

// Writes all rows in parallel, streaming. progress(rows done). Throws Error{kIo}; a partial file is removed.
void write_training_file(const std::string& path, const TrainingRequest& request, const Tokenizer& tokenizer,
                         const std::function<void(int64_t)>& progress = {});

}  // namespace sala::tasks
