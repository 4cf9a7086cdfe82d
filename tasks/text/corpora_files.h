// Reading the user's files: what load_corpora() is made of.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/corpora.h"
#include "sim/text/files.h"
#include "sim/text/json_rows.h"

namespace sala::tasks {

// Most of a word list: a hundred times the longest that is published, and each word takes several times its bytes in memory.
inline constexpr int64_t kMostWordListBytes = int64_t{1} << 26;

// A whole file, checked to be UTF-8 without NUL and not to be packed. A byte order mark is dropped. Throws Error{kIo},
// Error{kFormat} with the line.
struct TextFile {
  std::string role, path, bytes;
  std::string_view text() const;  // without the byte order mark
};
TextFile read_text_file(const std::string& role, const std::string& path, int64_t most_bytes = text::kMostFileBytes);

// Throws Error{kFormat} with the line and byte of the mistake.
nlohmann::json parse_json(const TextFile& file);
// All rows of the file (sim/text/json_rows.h). Throws Error{kFormat} for a line that is no JSON.
std::vector<text::JsonRow> parse_json_rows(const TextFile& file);
// One word a line, stripped, empty lines left out.
std::vector<std::string> parse_word_lines(const TextFile& file);
// Values of a JSON object, or word lines.
std::vector<std::string> parse_english_words(const TextFile& file);
// The text of an essay file, whitespace as it stands in the file.
std::string parse_essay(const TextFile& file);
// Sentences of `essay`, whitespace collapsed and stripped, as the user's file has them: one a line, or a JSON list of texts.
// One behind the other they must be the essay, with a space or nothing between them. Views into `essay`.
std::vector<std::string_view> parse_sentences(const TextFile& file, std::string_view essay);
QaCollection parse_squad(const TextFile& file);
QaCollection parse_hotpotqa(const TextFile& file);

}  // namespace sala::tasks
