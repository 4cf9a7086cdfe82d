// Training rows of packed token ids with a loss mask, and the file that holds them (docs/file_formats.md, "packed tokens").
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sala/tasks/task.h"

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

// Row `index`, a pure function of the request and the index; its task is drawn by weight. A row is BOS, a haystack, the
// question exactly as the evaluation asks it, its answer and EOS; then further questions on the same haystack that were not
// asked yet, or further samples, until the row is full (Task::training_row). Throws Error{kUsage} when row_tokens cannot
// hold one question and for a task that is not in the registry.
TrainingRow make_training_row(const TrainingRequest& request, int64_t index, const Tokenizer& tokenizer);

// Writes all rows in parallel, streaming. progress(rows done). Throws Error{kIo}; a partial file is removed.
void write_training_file(const std::string& path, const TrainingRequest& request, const Tokenizer& tokenizer,
                         const std::function<void(int64_t)>& progress = {});

}  // namespace sala::tasks
