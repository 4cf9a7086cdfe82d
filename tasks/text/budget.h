// Fitting a prompt to a number of tokens when its builder knows what its parts cost (spec tasks 1.9 and 1.13): the builder
// plans for a budget, one full tokenization says how far off the plan was, a second one confirms the correction. fit.h does
// it for prompts that grow by units.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sala/tokenizer/tokenizer.h"
#include "tasks/text/fit.h"

namespace sala::tasks {

// A prompt with its ids, the byte where each id begins, and the bytes that its builder marked.
struct Tokenized : FittedPrompt {
  std::vector<int64_t> marks;
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
};

// Token counts of short texts as they stand after another text, each counted once.
class UnitCounter {
 public:
  explicit UnitCounter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  // Tokens that `unit` adds after a space: " unit" behind some word.
  int64_t after_space(std::string_view unit);
  // The same for a unit that will not be asked for again: it is not remembered.
  int64_t after_space_once(std::string_view unit);

 private:
  static constexpr std::string_view kBefore = "the";
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  const Tokenizer& tokenizer_;
  const int64_t before_ = tokenizer_.count(kBefore);
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> counts_;
  std::string buffer_ = std::string(kBefore).append(1, ' ');  // and the unit asked for
};

// A prompt as its builder sees it.
struct Built {
  std::string text;
  int64_t expected_tokens = 0;  // what the unit counts add up to
  std::vector<int64_t> marks;   // bytes of the text that mean something to the builder
};

// build(budget): the longest prompt whose expected tokens are at most `budget`. It throws Error{kUsage} when nothing fits.
// Returns the fullest prompt found with at most `target` tokens. Unit counts that add up exactly (words of a tokenizer that
// splits at spaces) take one full tokenization, others two; a third and more only when a tokenizer's counts are far from
// additive. `task` names the caller in Error{kInternal}, thrown when nothing fits in eight attempts.
using PromptBuilder = std::function<Built(int64_t budget)>;
Tokenized fit_budget(std::string_view task, int64_t target, const Tokenizer& tokenizer, const PromptBuilder& build);

}  // namespace sala::tasks
