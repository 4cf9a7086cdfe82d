// Length fitting (spec tasks 1.9): as many units of a haystack as the target length holds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tokenizer/tokenizer.h"

namespace sala::tasks {

// A prompt of a growing number of units: essay sentences, lines, documents.
struct UnitPrompt {
  std::string_view task;           // for messages
  int64_t tokens_to_generate = 0;  // for messages: what the caller took off the length
  int64_t units = INT64_MAX;       // how many there are
  // A prompt of so many units is counted first, so that what header and question cost beside units is known exactly; 0 =
  // take it from the prompt without units.
  int64_t probe_units = 0;
  // What unit `i` adds to the count in its place. Exact for most tokenizers; an estimate is corrected by whole counts.
  // Called with rising i.
  std::function<int64_t(int64_t i)> unit_tokens;
  // The whole prompt with the first `count` units.
  std::function<std::string(int64_t count)> build;
};

struct FittedPrompt {
  int64_t units = 0;
  std::string text;  // build(units), and the last prompt built
  std::vector<int32_t> ids;
  TokenOffsets offsets;  // by token: its first byte in text

  struct Span {
    int64_t begin, end;  // tokens
  };
  // The tokens that hold the bytes [begin, end) of text; end > begin.
  Span tokens_of(size_t begin, size_t end) const;
  // The token that holds a byte; of several pieces of one character the first.
  int64_t token_of(size_t byte) const { return offsets.holding(static_cast<int64_t>(byte)); }
  // The tokens that hold none of them.
  int64_t tokens_beside(size_t begin, size_t end) const;
  // Fills ids and offsets from text; `expected` tokens are reserved.
  void tokenize(const Tokenizer& tokenizer, int64_t expected);
};

// The largest prompt of at most `target` tokens. Two tokenizations where unit_tokens is exact (one by units, one of the
// whole prompt); else a few more, until one more unit would be too much or the fill is at least 0.995. Throws Error{kUsage}
// with the smallest length that works when not even the prompt without units fits.
FittedPrompt fit_prompt(const UnitPrompt& prompt, int64_t target, const Tokenizer& tokenizer);

inline constexpr double kMinimumFill = 0.995;  // of the target

// One more unit, of which a prompt may end with the beginning.
struct LastUnit {
  std::string text;
  std::function<int64_t(std::string_view part)> tokens;     // what a beginning of it adds; corrected by whole counts
  std::function<std::string(std::string_view part)> build;  // the whole prompt with it; empty = without
};
// Where whole units left more than 1 - kMinimumFill of the target empty: the same prompt with the beginning of one more, cut
// between words if that is enough, else within one. `whole` again where no such beginning helps. The prompt built last is
// the one returned.
FittedPrompt fill_with_part(FittedPrompt whole, const LastUnit& unit, int64_t target, const Tokenizer& tokenizer);

// What a unit adds to the count behind a separator and a unit that ends with a full stop.
class TokensAfterStop {
 public:
  TokensAfterStop(std::string_view separator, const Tokenizer& tokenizer);
  int64_t operator()(std::string_view unit);

 private:
  const Tokenizer& tokenizer_;
  std::string text_;  // full stop, separator, then the unit asked for
  size_t unit_at_;
  int64_t stop_tokens_;
};

}  // namespace sala::tasks
