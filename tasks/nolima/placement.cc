#include "tasks/nolima/placement.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "sala/core/error.h"
#include "sim/text/utf8.h"

namespace sala::tasks {
namespace {

int64_t round_half_even(double x) { return static_cast<int64_t>(std::nearbyint(x)); }

// Newlines of the text as token indexes, each once.
std::vector<int64_t> newline_tokens_by_bytes(const BookTokens& book) {
  std::vector<int64_t> tokens = {0};
  for (size_t at = book.text.find('\n'); at != std::string::npos; at = book.text.find('\n', at + 1)) {
    const auto holds = book.offsets.before(static_cast<int64_t>(at) + 1) - 1;
    if (holds != tokens.back()) tokens.push_back(holds);
  }
  return tokens;
}

std::vector<int64_t> newline_tokens_by_decoding(const BookTokens& book, const Tokenizer& tokenizer) {
  std::unordered_map<int32_t, bool> known;
  std::vector<int64_t> tokens = {0};
  for (int64_t i = 0; i < book.size(); ++i) {
    const int32_t id = book.ids[static_cast<size_t>(i)];
    auto at = known.find(id);
    if (at == known.end()) at = known.emplace(id, tokenizer.decode({id}).find('\n') != std::string::npos).first;
    if (at->second && i > 0) tokens.push_back(i);
  }
  return tokens;
}

void slice_bytes(const BookTokens& book, Placement& placed) {
  const std::string& text = book.text;
  auto begin = static_cast<size_t>(book.offsets[placed.start]), end = static_cast<size_t>(book.offsets[placed.end]);
  while (begin < text.size() && text::is_continuation(text[begin])) ++begin;
  while (end > begin && end < text.size() && text::is_continuation(text[end])) --end;
  const auto token_begin = static_cast<size_t>(book.offsets[placed.newline]),
             token_end = static_cast<size_t>(book.offsets[placed.newline + 1]);
  const size_t newline = text.substr(token_begin, token_end - token_begin).rfind('\n');
  if (newline == std::string::npos) {  // the start of the book stands in for a newline
    placed.post = text.substr(begin, end - begin);
    return;
  }
  const size_t at = token_begin + newline;
  if (at > begin) placed.pre = text.substr(begin, at - begin);
  if (end > at + 1) placed.post = text.substr(at + 1, end - at - 1);
}

void slice_decoded(const BookTokens& book, const Tokenizer& tokenizer, Placement& placed) {
  const auto decode = [&](int64_t first, int64_t last) {
    return first < last ? tokenizer.decode({book.ids.begin() + first, book.ids.begin() + last}) : std::string();
  };
  placed.pre = decode(placed.start, placed.newline + 1);
  const size_t newline = placed.pre.rfind('\n');
  placed.pre.resize(newline == std::string::npos ? 0 : newline);
  placed.post = decode(placed.newline + 1, placed.end);
}

}  // namespace

int64_t needle_token_depth(int64_t context_length, double depth) {
  return round_half_even(static_cast<double>(context_length) * depth);
}

double nolima_depth(int index) { return 100.0 * index / (kNolimaDepths - 1) / 100.0; }

BookTokens tokenize_book(std::string text, const Tokenizer& tokenizer, Mode mode) {
  if (mode == Mode::kUpstream)
    if (const std::string lossy = round_trip_difference(tokenizer); !lossy.empty())
      throw Error(ErrorCode::kUsage,
                  "NoLiMa's mode upstream cuts the haystack by decoding, and the {} tokenizer does not give texts back: {}; "
                  "use mode fixed or another tokenizer",
                  tokenizer.kind(), lossy);
  BookTokens book;
  book.text = std::move(text);
  tokenizer.encode_into(book.text, book.ids, book.offsets);
  book.offsets.push_back(static_cast<int64_t>(book.text.size()));
  if (mode == Mode::kUpstream) {
    book.newlines = newline_tokens_by_decoding(book, tokenizer);
  } else {
    book.newlines = newline_tokens_by_bytes(book);
    book.ids = {};
  }
  return book;
}

std::string Placement::with(std::string_view needle) const {
  std::string text;
  text.reserve(pre.size() + needle.size() + post.size() + 2);
  text.append(pre).append(" ").append(needle).append("\n").append(post);
  return text;
}

Placement place_needle(const BookTokens& book, const std::string& name, const Tokenizer& tokenizer, Mode mode,
                       int64_t context_length, double depth, int64_t shift) {
  const auto before = [&](int64_t p) {
    return static_cast<double>(p - shift) / static_cast<double>(context_length + 1) - depth < 0;
  };
  const auto at = std::partition_point(book.newlines.begin(), book.newlines.end(), before);
  Placement placed;
  if (at != book.newlines.end()) {
    placed.newline = *at;
    placed.token_depth = needle_token_depth(context_length, depth);
    placed.start = placed.newline - placed.token_depth;
    placed.end = placed.start + context_length;
  }
  if (at == book.newlines.end() || placed.start < 0 || placed.end > book.size())
    throw Error(ErrorCode::kUsage,
                "book '{}' has {} tokens in {} lines; a window of {} at depth {:.2f} needs more: use longer texts or a "
                "shorter length",
                name, book.size(), book.newlines.size(), context_length, depth);
  if (mode == Mode::kUpstream) {
    slice_decoded(book, tokenizer, placed);
  } else {
    slice_bytes(book, placed);
  }
  return placed;
}

double distractor_depth(int64_t context_length, double depth, double uniform) {
  constexpr double kZone = 0.2;
  if (context_length < 500) return depth < 0.6 ? 0.7 : depth > 0.75 ? 0.6 : 0.5;
  const double below = std::max(0.0, depth - 2 * kZone), above = std::max(0.0, 1 - (depth + 2 * kZone));
  const double at = (below + above) * uniform;
  return at < below ? at + kZone : depth + kZone + (at - below);
}

}  // namespace sala::tasks
