#include "tasks/mrcr/sequence_matcher.h"

#include <algorithm>
#include <limits>

namespace sala::tasks {

SequenceMatcher::SequenceMatcher(std::u32string b, bool autojunk, int64_t max_work)
    : b_(std::move(b)), max_work_(std::min(max_work, kMaxWork)) {
  index_b(autojunk);
}

void SequenceMatcher::index_b(bool autojunk) {
  symbols_ = b_;
  std::sort(symbols_.begin(), symbols_.end());
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end()), symbols_.end());
  ascii_.assign(128, -1);
  for (size_t s = 0; s < symbols_.size() && symbols_[s] < 128; ++s) ascii_[symbols_[s]] = static_cast<int32_t>(s);
  std::vector<int64_t> count(symbols_.size(), 0);
  for (char32_t c : b_) ++count[static_cast<size_t>(symbol_of(c))];
  const int64_t most = autojunk && b_.size() >= kAutojunkFrom ? static_cast<int64_t>(b_.size() / 100 + 1)
                                                              : std::numeric_limits<int64_t>::max();
  list_begin_.assign(symbols_.size() + 1, 0);
  for (size_t s = 0; s < symbols_.size(); ++s) list_begin_[s + 1] = list_begin_[s] + (count[s] > most ? 0 : count[s]);
  positions_.resize(static_cast<size_t>(list_begin_.back()));
  std::vector<int64_t> next(list_begin_.begin(), list_begin_.end() - 1);
  for (size_t j = 0; j < b_.size(); ++j) {
    const auto s = static_cast<size_t>(symbol_of(b_[j]));
    if (list_begin_[s] != list_begin_[s + 1]) positions_[static_cast<size_t>(next[s]++)] = static_cast<int32_t>(j);
  }
  for (int parity : {0, 1}) {
    run_[parity].assign(b_.size(), 0);
    row_of_run_[parity].assign(b_.size(), 0);
  }
}

int32_t SequenceMatcher::symbol_of(char32_t c) const {
  if (c < 128) return ascii_[c];
  const auto at = std::lower_bound(symbols_.begin(), symbols_.end(), c);
  return at != symbols_.end() && *at == c ? static_cast<int32_t>(at - symbols_.begin()) : -1;
}

// Longest run of equal symbols that are in the index; ties go to the match that ends first in a, then in b. False: out of
// work.
bool SequenceMatcher::longest(const Range& range, Block& best) {
  best = {range.a_begin, range.b_begin, 0};
  int64_t previous = -2;  // row of a before this one
  for (auto active = std::lower_bound(active_rows_.begin(), active_rows_.end(), range.a_begin); active != active_rows_.end();
       ++active) {
    const int64_t i = *active;
    if (i >= range.a_end) break;
    row_ += i == previous + 1 ? 1 : 2;  // a gap of a row: no run continues over it
    previous = i;
    const auto symbol = static_cast<size_t>(active_symbols_[static_cast<size_t>(active - active_rows_.begin())]);
    const int32_t* begin = positions_.data() + list_begin_[symbol];
    const int32_t* const end = positions_.data() + list_begin_[symbol + 1];
    begin = std::lower_bound(begin, end, range.b_begin);
    std::vector<int32_t>& run = run_[row_ & 1];
    std::vector<uint32_t>& row_of_run = row_of_run_[row_ & 1];
    const std::vector<int32_t>& run_before = run_[~row_ & 1];
    const std::vector<uint32_t>& row_before = row_of_run_[~row_ & 1];
    for (; begin != end && *begin < range.b_end; ++begin) {
      const auto j = static_cast<size_t>(*begin);
      const int32_t k = (*begin > range.b_begin && row_before[j - 1] == row_ - 1 ? run_before[j - 1] : 0) + 1;
      run[j] = k;
      row_of_run[j] = row_;
      ++work_;
      if (k > best.size) best = {i - k + 1, static_cast<int64_t>(j) - k + 1, k};
    }
    if (++work_ > max_work_) return false;
  }
  row_ += 2;
  ++work_;
  return true;
}

// Popular symbols take part here only, also when nothing was found: an empty best may grow over a common prefix of the
// ranges.
void SequenceMatcher::extend(const Range& range, Block& best) const {
  const auto a = [&](int64_t i) { return a_[static_cast<size_t>(i)]; };
  const auto b = [&](int64_t j) { return b_[static_cast<size_t>(j)]; };
  while (best.a_begin > range.a_begin && best.b_begin > range.b_begin && a(best.a_begin - 1) == b(best.b_begin - 1)) {
    --best.a_begin, --best.b_begin, ++best.size;
  }
  while (best.a_begin + best.size < range.a_end && best.b_begin + best.size < range.b_end &&
         a(best.a_begin + best.size) == b(best.b_begin + best.size)) {
    ++best.size;
  }
}

RatioResult SequenceMatcher::ratio(std::u32string_view a) {
  RatioResult result;
  const auto a_size = static_cast<int64_t>(a.size()), b_size = static_cast<int64_t>(b_.size());
  if (a_size + b_size == 0) return {1.0, 0, false};
  if (a_size + b_size > max_work_) return {0.0, 0, true};
  a_ = a;
  work_ = 0;
  row_ = 2;
  for (int parity : {0, 1}) std::fill(row_of_run_[parity].begin(), row_of_run_[parity].end(), 0);
  active_rows_.clear();
  active_symbols_.clear();
  for (int64_t i = 0; i < a_size; ++i) {
    const int32_t s = symbol_of(a[static_cast<size_t>(i)]);
    if (s < 0 || list_begin_[static_cast<size_t>(s)] == list_begin_[static_cast<size_t>(s) + 1]) continue;
    active_rows_.push_back(static_cast<int32_t>(i));
    active_symbols_.push_back(s);
  }
  std::vector<Range> open = {{0, a_size, 0, b_size}};
  while (!open.empty()) {
    const Range range = open.back();
    open.pop_back();
    Block best;
    if (!longest(range, best)) return {0.0, 0, true};
    extend(range, best);
    if (best.size == 0) continue;
    result.matched += best.size;
    const int64_t a_end = best.a_begin + best.size, b_end = best.b_begin + best.size;
    if (range.a_begin < best.a_begin && range.b_begin < best.b_begin)
      open.push_back({range.a_begin, best.a_begin, range.b_begin, best.b_begin});
    if (a_end < range.a_end && b_end < range.b_end) open.push_back({a_end, range.a_end, b_end, range.b_end});
  }
  result.ratio = 2.0 * static_cast<double>(result.matched) / static_cast<double>(a_size + b_size);
  return result;
}

RatioResult sequence_ratio(std::string_view a, std::string_view b, bool autojunk) {
  return SequenceMatcher(text::code_points(b), autojunk).ratio(text::code_points(a));
}

}  // namespace sala::tasks
