// Where a needle goes in a book (spec tasks 2.3), exactly as upstream places it, and with its defects removed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::tasks {

inline constexpr int kNolimaDepths = 26;
// Depth `index` of 0..25: 0, 0.04, ..., 1.
double nolima_depth(int index);

// A book, tokenized once.
struct BookTokens {
  std::string text;
  TokenOffsets offsets;           // of tokens + 1: the last one is the size of the text
  std::vector<int32_t> ids;       // [tokens] in upstream mode; else empty
  std::vector<int64_t> newlines;  // P: 0, then the index of every token that holds a newline, ascending
  int64_t size() const { return offsets.size() - 1; }
};

// In upstream mode a token holds a newline when its own decoding does; in fixed mode when its bytes in the text do (tokens
// that merge ".\n\n" then cannot move P). Throws Error{kUsage} in upstream mode for a tokenizer that does not round-trip.
BookTokens tokenize_book(std::string text, const Tokenizer& tokenizer, Mode mode);

// The window of C tokens around the newline at which the needle goes: text = pre + " " + needle + "\n" + post.
struct Placement {
  int64_t newline = 0;         // p: token index of the newline
  int64_t start = 0, end = 0;  // [start, end) tokens of the book
  int64_t token_depth = 0;     // round_half_even(C * depth) = newline - start
  std::string pre, post;
  std::string with(std::string_view needle) const;
  size_t needle_at() const { return pre.size() + 1; }  // byte of the needle in with()
};

// round_half_even(C * depth): tokens of the window before the needle.
int64_t needle_token_depth(int64_t context_length, double depth);

// p = first of P with (p - shift) / (C + 1) >= depth; start = p - round_half_even(C * depth); end = start + C.
// upstream: pre = decode(E[start..p]) cut before its last newline, post = decode(E[p+1..end-1]); needs ids.
// fixed: the same window as bytes of the book: pre ends before the newline, post begins behind it, the first book token is
// kept at depth 0, and an edge inside a character moves into the window. Throws Error{kUsage} naming `book` when it is too
// short.
Placement place_needle(const BookTokens& book, const std::string& name, const Tokenizer& tokenizer, Mode mode,
                       int64_t context_length, double depth, int64_t shift = 0);

// Depth of a distractor (spec tasks 2.3): C < 500: 0.7, 0.6 or 0.5; else uniform over [0.2, d - 0.2] and [d + 0.2, 0.8] by
// `uniform` in [0, 1).
double distractor_depth(int64_t context_length, double depth, double uniform);

}  // namespace sala::tasks
