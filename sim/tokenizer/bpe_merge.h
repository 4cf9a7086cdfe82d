// The merges of a BPE vocabulary: which pairs of symbols become which piece, and in what order.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/tokenizer/merge_table.h"
#include "sim/tokenizer/sp_model.h"

namespace sala::tokenizer {

// A symbol is a normal piece (its id) or a single character that some piece holds without being a piece itself (numbers
// after the pieces).
class BpeMerges {
 public:
  static constexpr int32_t kUnknown = -1;  // a character of no piece: it merges with nothing
  using Symbol = MergeSymbol;
  using Candidate = MergeTable<float>::Candidate;

  explicit BpeMerges(const std::vector<Piece>& pieces);
  // `character`: one valid UTF-8 character.
  int32_t symbol(std::string_view character) const {
    if (character.size() == 1) return ascii_[static_cast<unsigned char>(character[0])];
    const auto found = wide_.find(packed(character));
    return found == wide_.end() ? kUnknown : found->second;
  }
  // Whether some piece holds byte `left` right before byte `right` (a space stands for U+2581). Where none does, no merge
  // crosses, and the two sides can be encoded apart. Bytes of longer characters always join.
  bool joins(char left, char right) const {
    return joins_[static_cast<unsigned char>(left)][static_cast<unsigned char>(right)];
  }
  // Merges the pair with the best score until no pair is a piece; the leftmost of equals (SentencePiece's order). `symbols`
  // are linked through previous and next (-1 at the ends); `heap` is scratch.
  void merge(std::vector<Symbol>& symbols, std::vector<Candidate>& heap) const { table_.merge(symbols, heap); }

 private:
  static uint32_t packed(std::string_view character) {
    uint32_t bytes = 0;
    for (unsigned char c : character) bytes = bytes << 8 | c;
    return bytes;
  }
  void note_joins(std::string_view piece);

  std::array<int32_t, 128> ascii_;
  std::vector<std::array<bool, 256>> joins_;    // [256] by left byte
  std::unordered_map<uint32_t, int32_t> wide_;  // by packed bytes
  MergeTable<float> table_;                     // by the score of the merged piece
};

}  // namespace sala::tokenizer
