#include "sim/tokenizer/bpe_merge.h"

#include <algorithm>

#include "sim/tokenizer/utf8.h"

namespace sala::tokenizer {
namespace {

// Where the characters of `text` begin, and its end; empty when `text` is not valid UTF-8 (such a piece never matches
// anything).
std::vector<size_t> boundaries(std::string_view text) {
  std::vector<size_t> at = {0};
  while (at.back() < text.size()) {
    const size_t size = valid_char_length(text.substr(at.back()));
    if (size == 0) return {};
    at.push_back(at.back() + size);
  }
  return at;
}

}  // namespace

void BpeMerges::note_joins(std::string_view piece) {
  const auto byte = [&](size_t& at) {  // the next character: an ASCII one, a space for U+2581, else any byte of it
    const bool space = piece.substr(at).starts_with(kSpace);
    const auto c = static_cast<unsigned char>(space ? ' ' : piece[at]);
    at += space ? kSpace.size() : 1;
    return c;
  };
  size_t at = 0;
  for (unsigned char left = byte(at); at < piece.size();) {
    const unsigned char right = byte(at);
    joins_[left][right] = true;
    left = right;
  }
}

BpeMerges::BpeMerges(const std::vector<Piece>& pieces) : joins_(256) {
  ascii_.fill(kUnknown);
  for (size_t left = 0; left < 256; ++left)
    for (size_t right = 0; right < 256; ++right) joins_[left][right] = left >= 128 || right >= 128;
  std::unordered_map<std::string_view, int32_t> symbols;
  for (size_t id = 0; id < pieces.size(); ++id) {
    scores_.push_back(pieces[id].score);
    if (pieces[id].type == PieceType::kNormal) symbols.emplace(pieces[id].text, static_cast<int32_t>(id));
  }
  int32_t next = static_cast<int32_t>(pieces.size());
  std::vector<std::pair<uint64_t, int32_t>> found;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type != PieceType::kNormal) continue;
    const std::string_view text = pieces[id].text;
    const std::vector<size_t> at = boundaries(text);
    if (at.size() > 1) note_joins(text);
    for (size_t i = 0; i + 1 < at.size(); ++i) {
      const std::string_view character = text.substr(at[i], at[i + 1] - at[i]);
      const auto [entry, added] = symbols.emplace(character, next);
      next += added;
      if (character.size() == 1) {
        ascii_[static_cast<unsigned char>(character[0])] = entry->second;
      } else {
        wide_.emplace(packed(character), entry->second);
      }
    }
    for (size_t i = 1; i + 1 < at.size(); ++i) {
      const auto left = symbols.find(text.substr(0, at[i])), right = symbols.find(text.substr(at[i]));
      if (left != symbols.end() && right != symbols.end())
        found.emplace_back(key(left->second, right->second), static_cast<int32_t>(id));
    }
  }
  while ((size_t{1} << (64 - shift_)) < 2 * found.size()) --shift_;
  pairs_.resize(size_t{1} << (64 - shift_));
  for (const auto& [pair, piece] : found) insert(pair, piece);
}

void BpeMerges::insert(uint64_t pair, int32_t piece) {
  size_t at = slot(pair);
  while (pairs_[at].key != kFree) at = (at + 1) & (pairs_.size() - 1);
  pairs_[at] = {pair, piece};
}

int32_t BpeMerges::merged(int32_t left, int32_t right) const {
  if (left == kUnknown || right == kUnknown) return kUnknown;
  const uint64_t pair = key(left, right);
  for (size_t at = slot(pair);; at = (at + 1) & (pairs_.size() - 1)) {
    if (pairs_[at].key == pair) return pairs_[at].merged;
    if (pairs_[at].key == kFree) return kUnknown;
  }
}

void BpeMerges::merge(std::vector<Symbol>& symbols, std::vector<Candidate>& heap) const {
  heap.clear();
  const auto consider = [&](int32_t left, int32_t right) {
    if (left < 0 || right < 0) return;
    const int32_t piece = merged(symbols[left].id, symbols[right].id);
    if (piece == kUnknown) return;
    heap.push_back({scores_[piece], left, right, piece, symbols[left].chars + symbols[right].chars});
    std::push_heap(heap.begin(), heap.end());
  };
  for (int32_t i = 1; i < static_cast<int32_t>(symbols.size()); ++i) consider(i - 1, i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    if (left.chars == 0 || right.chars == 0 || left.chars + right.chars != best.chars) continue;
    left.id = best.merged;
    left.chars = best.chars;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = best.left;
    right.chars = 0;
    consider(left.previous, best.left);
    consider(best.left, left.next);
  }
}

}  // namespace sala::tokenizer
