#include "tasks/text/budget.h"

#include <algorithm>

#include "sala/core/error.h"

namespace sala::tasks {

int64_t UnitCounter::after_space(std::string_view unit) {
  const auto found = counts_.find(unit);
  if (found != counts_.end()) return found->second;
  return counts_.emplace(unit, after_space_once(unit)).first->second;
}

int64_t UnitCounter::after_space_once(std::string_view unit) {
  buffer_.resize(kBefore.size() + 1);
  buffer_.append(unit);
  return tokenizer_.count(buffer_) - before_;
}

Tokenized fit_budget(std::string_view task, int64_t target, const Tokenizer& tokenizer, const PromptBuilder& build) {
  constexpr int kAttempts = 8;
  constexpr double kGoodFill = 0.998;  // not worth another tokenization
  // Only the budget of the best prompt is kept, not the prompt: a second one in memory would double the peak, and it is rare
  // that an earlier one has to be made again.
  int64_t best = -1, best_budget = 0, budget = target, overshoot = 0;
  const auto made = [&](int64_t size, int64_t& expected) {
    Built built = build(size);
    Tokenized tokens;
    tokens.text = std::move(built.text);
    tokens.marks = std::move(built.marks);
    expected = built.expected_tokens;
    tokens.tokenize(tokenizer, expected);
    return tokens;
  };
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    int64_t expected = 0;
    Tokenized current = made(budget, expected);
    const int64_t error = current.tokens() - expected;
    if (current.tokens() <= target) {
      const double fill = static_cast<double>(current.tokens()) / static_cast<double>(target);
      if (fill >= (attempt == 0 ? kGoodFill : kMinimumFill)) return current;
      // Below that only a larger budget helps, which is given when the unit counts were too high.
      const bool enough = target - error - overshoot <= budget;
      if (current.tokens() > best) {
        if (enough) return current;
        best = current.tokens(), best_budget = budget;
      }
      if (enough) break;
    } else if (attempt > 0) {
      overshoot += current.tokens() - target + attempt;
    }
    budget = target - error - overshoot;
  }
  if (best >= 0) {
    int64_t ignored;
    Tokenized again = made(best_budget, ignored);
    if (again.tokens() <= target) return again;
  }
  throw Error(ErrorCode::kInternal, "{}: no prompt of at most {} tokens found in {} attempts", task, target, kAttempts);
}

}  // namespace sala::tasks
