#include "tasks/text/fit.h"

#include <algorithm>
#include <cstdlib>

#include "sala/core/error.h"

namespace sala::tasks {
namespace {

constexpr double kGoodFill = 0.995;
constexpr int kPatience = 4;     // whole counts after which a good fill is enough
constexpr int kMostCounts = 64;  // bisection of any number of units ends long before

// Sums of unit_tokens: upto(n) = tokens of the first n units, as estimated.
class Estimate {
 public:
  explicit Estimate(const UnitPrompt& prompt) : prompt_(prompt) {}
  int64_t upto(int64_t units) {
    while (static_cast<int64_t>(sums_.size()) <= units) {
      const auto next = static_cast<int64_t>(sums_.size()) - 1;
      sums_.push_back(sums_.back() + std::max<int64_t>(1, prompt_.unit_tokens(next)));
    }
    return sums_[static_cast<size_t>(units)];
  }
  // The largest n with scale * upto(n) <= tokens.
  int64_t fitting(double tokens, double scale) {
    int64_t units = 0;
    while (units < prompt_.units && scale * static_cast<double>(upto(units + 1)) <= tokens) ++units;
    return units;
  }

 private:
  const UnitPrompt& prompt_;
  std::vector<int64_t> sums_ = {0};
};

}  // namespace

FittedPrompt::Span FittedPrompt::tokens_of(size_t begin, size_t end) const {
  const auto first = offsets.before(static_cast<int64_t>(begin) + 1) - 1;
  // Of several pieces of one character, the first.
  return {offsets.before(offsets[first]), offsets.before(static_cast<int64_t>(end))};
}

int64_t FittedPrompt::tokens_beside(size_t begin, size_t end) const {
  const Span span = tokens_of(begin, end);
  return static_cast<int64_t>(ids.size()) - (span.end - span.begin);
}

void FittedPrompt::tokenize(const Tokenizer& tokenizer, int64_t expected) {
  const int64_t room = expected + expected / 64 + 64;  // a vector that has to grow doubles
  ids.reserve(static_cast<size_t>(room));
  offsets.reserve(room);
  tokenizer.encode_into(text, ids, offsets);
}

TokensAfterStop::TokensAfterStop(std::string_view separator, const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      text_(std::string(".").append(separator)),
      unit_at_(text_.size()),
      stop_tokens_(tokenizer.count(".")) {}

int64_t TokensAfterStop::operator()(std::string_view unit) {
  text_.resize(unit_at_);
  text_.append(unit);
  return tokenizer_.count(text_) - stop_tokens_;
}

FittedPrompt fit_prompt(const UnitPrompt& prompt, int64_t target, const Tokenizer& tokenizer) {
  const int64_t smallest = tokenizer.count(prompt.build(0));
  if (smallest > target)
    throw Error(
        ErrorCode::kUsage,
        "{}: length {} is too small; this sample needs at least {} ({} tokens of prompt without haystack + {} to generate)",
        prompt.task, target + prompt.tokens_to_generate, smallest + prompt.tokens_to_generate, smallest,
        prompt.tokens_to_generate);
  Estimate estimate(prompt);
  int64_t base = smallest;  // of the prompt beside its units
  if (prompt.probe_units > 0 && smallest + estimate.upto(prompt.probe_units) <= target)
    base = tokenizer.count(prompt.build(prompt.probe_units)) - estimate.upto(prompt.probe_units);
  FittedPrompt best;
  int64_t fits = -1, too_many = prompt.units == INT64_MAX ? INT64_MAX : prompt.units + 1;  // best holds `fits` units
  int64_t units = estimate.fitting(static_cast<double>(target - base), 1.0);
  for (int counts = 1;; ++counts) {
    FittedPrompt tried;
    tried.units = units;
    tried.text = prompt.build(units);
    const int64_t estimated = base + estimate.upto(units);
    tried.tokenize(tokenizer, estimated);
    const auto tokens = static_cast<int64_t>(tried.ids.size());
    if (tokens > target) {
      too_many = units;
    } else {
      fits = units;
      best = std::move(tried);
      // One more unit does not fit, by more than what all units together were misjudged by.
      if (units > 0 && units + 1 < too_many &&
          tokens + (estimate.upto(units + 1) - estimate.upto(units)) > target + std::abs(tokens - estimated))
        break;
      if (counts >= kPatience && static_cast<double>(tokens) >= kGoodFill * static_cast<double>(target)) break;
    }
    if (fits + 1 == too_many || counts == kMostCounts) break;
    const double scale = units == 0 ? 1.0 : static_cast<double>(tokens - base) / static_cast<double>(estimated - base);
    const int64_t guess = estimate.fitting(static_cast<double>(target - base), std::max(scale, 1e-3));
    units = std::clamp<int64_t>(guess, fits + 1, too_many - 1);
    if (counts > kPatience && too_many != INT64_MAX) units = fits + (too_many - fits) / 2;  // the guesses do not close in
  }
  if (fits < 0) throw Error(ErrorCode::kInternal, "{}: could not fit a prompt into {} tokens", prompt.task, target);
  if (units != fits) prompt.build(fits);  // leaves the caller's notes on the prompt that is returned
  return best;
}

}  // namespace sala::tasks
