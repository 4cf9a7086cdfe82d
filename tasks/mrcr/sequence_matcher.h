// difflib.SequenceMatcher(None, a, b).ratio() of CPython, bit for bit (spec tasks 3.4): MRCR's metric.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/text/utf8.h"

namespace sala::tasks {

// Code points of UTF-8 text: difflib compares Python characters. A byte that is no part of valid UTF-8 becomes U+FFFD.
using text::code_points;

struct RatioResult {
  double ratio = 0;     // 2 * matched / (|a| + |b|), 1 when both are empty
  int64_t matched = 0;  // code points in matching blocks
  bool capped = false;  // the work limit was reached: ratio and matched are 0 and say nothing about the texts
};

inline constexpr size_t kAutojunkFrom = 200;  // symbols of b

// One `b` (MRCR: the reference answer) against any number of `a` (responses). Not thread-safe: scratch is reused.
// The ratio is not symmetric in a and b; autojunk drops the symbols of b that occur in more than |b|/100 + 1 places when |b|
// >= kAutojunkFrom.
class SequenceMatcher {
 public:
  // Work of one ratio() is counted in visited rows and cells; at most 2e9 by default (about 4 s), where CPython would run
  // for minutes.
  static constexpr int64_t kMaxWork = 2'000'000'000;
  explicit SequenceMatcher(std::u32string b, bool autojunk = true, int64_t max_work = kMaxWork);
  RatioResult ratio(std::u32string_view a);

 private:
  struct Block {  // a[a_begin, a_begin + size) equals b[b_begin, b_begin + size)
    int64_t a_begin, b_begin, size;
  };
  struct Range {
    int64_t a_begin, a_end, b_begin, b_end;
  };
  void index_b(bool autojunk);
  int32_t symbol_of(char32_t c) const;
  bool longest(const Range& range, Block& best);
  void extend(const Range& range, Block& best) const;

  std::u32string b_;
  std::u32string symbols_;               // distinct code points of b, ascending
  std::vector<int32_t> ascii_;           // [128] symbol or -1
  std::vector<int64_t> list_begin_;      // [symbols + 1] into positions_; popular symbols have an empty list
  std::vector<int32_t> positions_;       // ascending within a list
  std::vector<int32_t> run_[2];          // [|b|] length of the match that ends here, of the last two rows
  std::vector<uint32_t> row_of_run_[2];  // [|b|] which row wrote run_
  uint32_t row_ = 2;
  int64_t max_work_, work_ = 0;
  std::u32string_view a_;
  std::vector<int32_t> active_rows_, active_symbols_;  // rows of a whose symbol has positions in b
};

// The same in one call.
RatioResult sequence_ratio(std::string_view a, std::string_view b, bool autojunk = true);

}  // namespace sala::tasks
