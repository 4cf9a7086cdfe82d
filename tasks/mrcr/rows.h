// Official openai/mrcr rows as JSONL (spec tasks 3.2), or built-in ones written in the same columns.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/mrcr/conversation.h"

namespace sala::tasks {

struct MrcrRows {
  std::vector<MrcrRow> rows;          // every row that could be read, in file order; also those that fail the check
  std::vector<std::string> problems;  // "FILE:17: answer is not the hash followed by the wanted reply", in file order
  int64_t unsound = 0;                // rows that were read but fail check_mrcr_row(): their scores mean nothing
};

// One row. Null is as good as absent, 2.0 as 2. Throws Error{kFormat}. Nothing is checked beyond what the fields' types say:
// check_mrcr_row() does.
MrcrRow parse_mrcr_row(const std::string& line, const Tokenizer* bins = nullptr);
MrcrRow read_mrcr_row(const nlohmann::json& object, const Tokenizer* bins = nullptr);

// One JSON object a line: `prompt` (array of messages, or a string that holds one), `answer`, `random_string_to_prepend`,
// `n_needles`, `desired_msg_index`, optionally `total_messages`, `n_chars`, `date_added`, `tokens`. Blank lines are skipped.
// Or one array of such objects, where lines are elements, from 1. A line that cannot be read becomes a problem with its
// number and the rest is kept. `bins`: counts the tokens of each row (o200k_base for the published bins); null = `tokens` of
// the file, or none. Throws Error{kIo} when the file cannot be opened, Error{kFormat} when no line holds a row.
MrcrRows load_mrcr_rows(const std::string& path, const Tokenizer* bins = nullptr);
MrcrRows read_mrcr_rows(std::string_view text, const std::string& origin, const Tokenizer* bins = nullptr);

}  // namespace sala::tasks
