#include "tasks/text/fit.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "sala/core/error.h"
#include "sim/text/utf8.h"

namespace sala::tasks {
namespace {

constexpr int kPatience = 4;     // whole counts after which a good fill is enough
constexpr int kMostCounts = 64;  // bisection of any number of units ends long before

bool filled(int64_t tokens, int64_t target) {
  return static_cast<double>(tokens) >= kMinimumFill * static_cast<double>(target);
}

// The longest beginning of `unit` that adds at most `room` tokens; one that ends with a word where that adds at least
// `wanted`.
std::string_view part_of(const LastUnit& unit, int64_t wanted, int64_t room) {
  const std::string_view text = unit.text;
  size_t fits = 0, too_long = text.size();  // the whole unit did not fit
  while (too_long - fits > 1) {
    const size_t middle = fits + (too_long - fits) / 2;
    (unit.tokens(text.substr(0, middle)) <= room ? fits : too_long) = middle;
  }
  while (fits > 0 && (text::is_continuation(text[fits]) || text[fits - 1] == ' ')) --fits;
  const size_t space = fits < text.size() && text[fits] == ' ' ? fits : text.substr(0, fits).rfind(' ');
  if (space != std::string_view::npos && unit.tokens(text.substr(0, space)) >= wanted) return text.substr(0, space);
  return text.substr(0, fits);
}

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
  return {token_of(begin), offsets.before(static_cast<int64_t>(end))};
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

FittedPrompt fill_with_part(FittedPrompt whole, const LastUnit& unit, int64_t target, const Tokenizer& tokenizer) {
  const auto tokens = static_cast<int64_t>(whole.ids.size());
  if (filled(tokens, target)) return whole;
  constexpr int kAttempts = 6;
  FittedPrompt best = std::move(whole);
  std::string_view best_part, built;
  const auto wanted =
      static_cast<int64_t>(std::ceil(kMinimumFill * static_cast<double>(target))) - static_cast<int64_t>(best.ids.size());
  int64_t room = target - tokens;
  for (int attempt = 0; attempt < kAttempts && room > 0; ++attempt) {
    const std::string_view part = part_of(unit, wanted, room);
    if (part.empty() || (attempt > 0 && part == built)) break;
    built = part;
    FittedPrompt tried;
    tried.units = best.units;
    tried.text = unit.build(part);
    tried.tokenize(tokenizer, target);
    const auto count = static_cast<int64_t>(tried.ids.size());
    if (count <= target && count > static_cast<int64_t>(best.ids.size())) best = std::move(tried), best_part = part;
    if (filled(static_cast<int64_t>(best.ids.size()), target)) break;
    room += target - count;
  }
  if (built != best_part) unit.build(best_part);  // leaves the caller's notes on the prompt that is returned
  return best;
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
      if (counts >= kPatience && filled(tokens, target)) break;
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
