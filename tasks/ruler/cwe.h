// RULER's common words extraction (spec tasks 1.2 and 1.6), shared by evaluation samples and training rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/training.h"
#include "tasks/text/hash_set.h"
#include "tasks/text/permutation.h"
#include "tasks/text/pseudo_words.h"
#include "tasks/text/word_list.h"

namespace sala::tasks {

inline constexpr int64_t kCweCommon = 10;
inline constexpr int64_t kCweLeastWords = kCweCommon + 1;

// How often words occur, in the solved example and in the list itself. Below 4096 tokens upstream takes the small set.
struct CweCounts {
  int64_t example_words, example_common, example_uncommon;
  int64_t common, uncommon;
};
inline constexpr CweCounts kCweCounts = {40, 10, 3, 30, 3};
inline constexpr CweCounts kCweSmallCounts = {20, 3, 1, 6, 1};
inline const CweCounts& cwe_counts(int64_t length) { return length < 4096 ? kCweSmallCounts : kCweCounts; }

struct CweText {
  std::string header, question, answer_prefix;
};
const CweText& cwe_text();

// Nouns, adjectives and verbs, distinct: the user's lists where given, else the built-in words of the split.
std::vector<std::string_view> cwe_lexicon(const SampleRequest& request);

// Distinct words in random order: of the lexicon, or of the long list (the user's English words, else pseudo-words of the
// split that are in no built-in list), without `others`.
class CweWordStream {
 public:
  CweWordStream(const SampleRequest& request, bool long_list, const WordList& others, Rng& rng);
  // From now on no word that `part` is a part of.
  void avoid(std::string_view part);
  // The next word, valid until the next call; empty when the list ends.
  std::string_view next();

 private:
  struct Part {
    std::string text;
    uint32_t letters;  // a bit for each: a word without one of them cannot hold the text
  };
  std::string_view take(uint64_t number);  // empty = not to be used
  const SampleRequest& request_;
  std::vector<std::string_view> lexicon_;
  bool pseudo_;
  Permutation order_;
  uint64_t at_ = 0;
  PseudoWord spelled_;
  std::vector<Part> avoided_;
  HashSet left_out_;  // the others, and what was taken from a list, as the user's may repeat itself
};

// "1. word 2. word ...": `entries` are indexes into `words`. Appends to `marks`, for each entry below `marked`, begin, end
// and index.
void append_cwe_list(std::string& text, const WordList& words, const std::vector<int32_t>& entries, int32_t marked,
                     std::vector<int64_t>* marks);
// `common` times each of the first kCweCommon words, `uncommon` times each of the others, shuffled.
std::vector<int32_t> draw_cwe_entries(Rng& rng, int64_t words, int64_t common, int64_t uncommon);

std::unique_ptr<const Task> make_cwe_task();
std::unique_ptr<const TrainingRows> make_cwe_rows();

}  // namespace sala::tasks
