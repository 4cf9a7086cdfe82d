// NoLiMa: a needle that answers the question only by what one knows (spec tasks 2). Task `nolima` on our own needles and
// books (`nolima-own`), and the same on the user's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sala/tasks/training.h"
#include "tasks/nolima/books.h"
#include "tasks/nolima/metrics.h"
#include "tasks/nolima/needle_set.h"

namespace sala::tasks {

// One user turn; {haystack} and {question} are filled in. Upstream's system prompt goes before it under a chat template.
inline constexpr std::string_view kNolimaTemplate =
    "You will answer a question based on the following book snippet:\n\n{haystack}\n\nUse the information provided in the "
    "book snippet to answer the "
    "question. Your answer should be short and based on either explicitly stated facts or strong, logical "
    "inferences.\n\nQuestion: {question}\n\n "
    "Return only the final answer with no additional explanation or reasoning.";
inline constexpr std::string_view kNolimaSystemPrompt = "You are a helpful assistant";

struct NolimaOptions {
  int64_t tokens_to_generate = 192;  // upstream's; reasoning models get 1536
  NolimaMetric metric = NolimaMetric::kContains;
};

// Which pair, book and depth sample `index` is. Every pair x book x depth comes once before any comes again; neighbours in
// the order differ in pair, book and depth, so that the first n samples are a spread sample of all. Pure arithmetic:
//   cell = index mod (P B D), turn = cell / P, pair = (cell s_P) mod P, (depth, book) = ((turn s + 53 pair) mod B D) divided
//   by B,
// where s_P and s are the least numbers from 0.618 P and 0.618 B D up that have no common factor with P and B D.
struct NolimaCell {
  int64_t pair = 0, book = 0, depth = 0;
};
NolimaCell nolima_cell(int64_t index, int64_t pairs, int64_t books);

class NolimaTask final : public Task {
 public:
  // `needles`, `books` by split; a user's set serves both. Pairs asked directly are left out unless the set has no others.
  struct Material {
    const NeedleSet* needles;
    const BookShelf* books;
  };
  // Its group has its name: a user's task is a benchmark of its own.
  NolimaTask(std::string name, std::string description, Material eval, Material train, NolimaOptions options = {});

  // fixed: the prompt and the answer budget fill request.length; books are told apart by file name; the name that is hidden
  // does not occur in the book. upstream: request.length is the book window alone (needle, template and chat template come
  // on top), names come from NumPy's stream.
  Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;
  // Beside it the other matches, `many_names` (more than one name of the pool or of the built-in books is in the answer),
  // and the score again under `onehop`, `twohop`, ..., `default_order` or `inverted_order`, so that a mean over samples
  // splits it.
  Score score(const Sample& sample, std::string_view answer) const override;
  // The fields of spec tasks 2.9 up to haystack_sha256, then `system_prompt`.
  Record record(const Sample& sample, const Tokenizer& tokenizer) const override;
  int64_t pairs(Split split) const { return static_cast<int64_t>(side(split).pairs.size()); }
  // Pair of a sample, for summarize_nolima().
  const NeedlePair& pair_of(const SampleRequest& request) const;

 private:
  struct Side {
    Material material;
    std::vector<NeedlePair> pairs;
  };
  struct Draft;  // everything about a sample but its tokens
  const Side& side(Split split) const { return split == Split::kEval ? eval_ : train_; }
  Draft draft(const SampleRequest& request, const Tokenizer& tokenizer) const;
  std::string choose_name(const SampleRequest& request, const Draft& draft, const std::string& text) const;
  // upstream: the numbers of the sample's depth in NumPy's stream, which draws name and distractor by turns.
  struct UpstreamDraws;
  UpstreamDraws upstream_draws(const SampleRequest& request, const Draft& draft) const;
  // Puts the distractor into the haystack; `needle_at` becomes where the needle then is.
  void add_distractor(const SampleRequest& request, const Tokenizer& tokenizer, const Draft& draft, std::string& haystack,
                      size_t& needle_at) const;
  void place(const SampleRequest& request, const Tokenizer& tokenizer, int64_t context_length, Draft& draft) const;
  void place_and_encode(const SampleRequest& request, const Tokenizer& tokenizer, int64_t context_length, Draft& draft,
                        std::vector<int32_t>& ids, TokenOffsets& offsets) const;
  void fit(const SampleRequest& request, const Tokenizer& tokenizer, Draft& draft, std::vector<int32_t>& ids,
           TokenOffsets& offsets) const;

  Side eval_, train_;
  NolimaOptions options_;
};

// Task `nolima`: our needles in our books.
std::unique_ptr<const NolimaTask> make_nolima_task();
// Samples of the training split, and rows that state what the questions ask to know.
std::unique_ptr<const TrainingRows> make_nolima_rows();
// The user's needle set, and books (null = the built-in ones), under a name of its own. Both must outlive the task.
std::unique_ptr<const NolimaTask> make_nolima_task(const std::string& name, const NeedleSet& needles, const BookShelf* books,
                                                   NolimaOptions options = {});

}  // namespace sala::tasks
