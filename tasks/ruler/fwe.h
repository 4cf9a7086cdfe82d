// RULER's frequent words extraction (spec tasks 1.2 and 1.7), shared by evaluation samples and training rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/task.h"

namespace sala::tasks {

struct FweText {
  std::string header, question, answer_prefix;
};
const FweText& fwe_text();

inline constexpr std::string_view kFweNoise = "...";  // the word of rank 1
// How often ranks 1, 2, ... occur among about `words` words: floor(words * rank^-2 / zeta(2)), for at most `vocabulary`
// ranks and as long as that is not 0.
std::vector<int64_t> fwe_counts(int64_t words, int64_t vocabulary);
// Distinct coded words: six lower-case letters of the split.
std::vector<std::string> draw_fwe_words(Rng& rng, Split split, int64_t count);
// Evidence spans of an answer, evenly spread over its occurrences: a frequent word stands everywhere, and reading a fair
// sample is enough.
inline constexpr int64_t kFweMostSpans = 64;
// Appends words[entry] for each entry (rank - 1), joined by spaces, and to `marks` begin, end and entry of up to
// `most_spans` occurrences of each of the three answers. counts: occurrences of each entry.
void append_fwe_words(std::string& text, const std::vector<std::string>& words, const std::vector<int32_t>& entries,
                      const std::vector<int64_t>& counts, int64_t most_spans, std::vector<int64_t>& marks);

std::unique_ptr<const Task> make_fwe_task();

}  // namespace sala::tasks
