// One evaluated sample, and its line in samples.jsonl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::eval {

// Where the arrays of a sample (array.h) lie in the side file `samples.arrays`.
struct ArraysRef {
  int64_t offset = 0, bytes = 0;
  std::string hash;  // stable_hash of the bytes, 16 hexadecimal digits
};

struct SampleTiming {
  double make_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  double engine_seconds() const { return prefill_seconds + decode_seconds; }
};

struct SampleRecord {
  std::string task;
  int64_t length = 0, index = 0;
  std::string id;      // `ruler/niah_single_1@131072#37!42`
  std::string select;  // by whom blocks were chosen, when not by the model: "oracle"
  double score = 0;    // 0..1
  std::vector<std::pair<std::string, double>> diagnostics;
  std::string answer;  // decoded answer_ids; what is no UTF-8 is replaced by U+FFFD
  std::vector<int32_t> answer_ids;
  bool stopped = false;  // by a stop token
  std::vector<std::string> expected;
  std::vector<tasks::Evidence> evidence;  // in tokens of the prompt, BOS not counted
  int64_t prompt_tokens = 0;              // BOS not counted
  int64_t tokens_to_generate = 0;
  std::vector<std::pair<std::string, double>> figures;  // what statistics say of the sample: {"recall", 0.5}
  std::optional<ArraysRef> arrays;
  SampleTiming timing;

  // Prompt and answer budget: what `length` limits.
  int64_t effective_tokens() const { return prompt_tokens + tokens_to_generate; }
};

// A line ends with the hash of all that stands before it, so that a line which changed in any way is known.
std::string sealed(const std::string& line);
// The line as it was before sealed(). Throws Error{kFormat} when it has no such end or is not what was sealed.
std::string unsealed(const std::string& line);

// One line, without the newline and without the seal.
std::string to_line(const SampleRecord& record);
// Throws Error{kFormat} naming the field that is missing or wrong.
SampleRecord parse_line(const std::string& line);

// Replaces what is no valid UTF-8, and NUL, by U+FFFD.
std::string printable_utf8(const std::string& text);
std::string hash_hex(uint64_t hash);

}  // namespace sala::eval
