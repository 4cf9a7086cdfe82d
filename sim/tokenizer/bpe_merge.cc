#include "sim/tokenizer/bpe_merge.h"

#include "sim/text/utf8.h"

namespace sala::tokenizer {
namespace {

// Where the characters of `text` begin, and its end; empty when `text` is not valid UTF-8 (such a piece never matches
// anything).
std::vector<size_t> boundaries(std::string_view text) {
  std::vector<size_t> at = {0};
  while (at.back() < text.size()) {
    const size_t size = text::valid_char_length(text.substr(at.back()));
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
  for (size_t id = 0; id < pieces.size(); ++id)
    if (pieces[id].type == PieceType::kNormal) symbols.emplace(pieces[id].text, static_cast<int32_t>(id));
  int32_t next = static_cast<int32_t>(pieces.size());
  struct Found {
    int32_t left, right, merged;
  };
  std::vector<Found> found;
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
        found.push_back({left->second, right->second, static_cast<int32_t>(id)});
    }
  }
  table_ = MergeTable<float>(found.size());
  for (const Found& pair : found)
    table_.insert(pair.left, pair.right, pieces[static_cast<size_t>(pair.merged)].score, pair.merged);
}

}  // namespace sala::tokenizer
