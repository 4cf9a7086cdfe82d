#include "tasks/text/budget.h"

#include <algorithm>

#include "sala/core/error.h"

namespace sala::tasks {

int64_t UnitCounter::after_space(std::string_view unit) {
  const auto found = counts_.find(unit);
  if (found != counts_.end()) return found->second;
  buffer_.assign("the ").append(unit);
  const int64_t count = tokenizer_.count(buffer_) - tokenizer_.count("the");
  counts_.emplace(unit, count);
  return count;
}

int64_t UnitCounter::after(std::string_view before, std::string_view unit) const {
  return tokenizer_.count(std::string(before).append(unit)) - tokenizer_.count(before);
}

Tokenized fit_budget(std::string_view task, int64_t target, const Tokenizer& tokenizer, const PromptBuilder& build) {
  constexpr int kAttempts = 8;
  constexpr double kGoodFill = 0.998;  // not worth another tokenization
  Tokenized best;
  int64_t budget = target, overshoot = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Built built = build(budget);
    Tokenized current;
    current.text = std::move(built.text);
    current.marks = std::move(built.marks);
    current.ids = tokenizer.encode_with_offsets(current.text, current.offsets);
    const int64_t error = current.tokens() - built.expected_tokens;
    if (current.tokens() <= target) {
      const double fill = static_cast<double>(current.tokens()) / static_cast<double>(target);
      if (fill >= (attempt == 0 ? kGoodFill : kMinimumFill)) return current;
      // Below that only a larger budget helps, which is given when the unit counts were too high.
      if (current.tokens() > best.tokens()) best = current;
      if (target - error - overshoot <= budget) return best;
    } else if (attempt > 0) {
      overshoot += current.tokens() - target + attempt;
    }
    budget = target - error - overshoot;
  }
  if (!best.ids.empty()) return best;
  throw Error(ErrorCode::kInternal, "{}: no prompt of at most {} tokens found in {} attempts", task, target, kAttempts);
}

}  // namespace sala::tasks
