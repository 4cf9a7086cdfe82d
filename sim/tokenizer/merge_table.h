// Byte-pair merging, for SentencePiece's vocabularies (best score first) and Hugging Face's (lowest rank first) alike.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace sala::tokenizer {

struct MergeSymbol {
  int32_t id;
  int32_t origin;          // where the symbol's text begins, in the caller's terms
  int32_t parts;           // symbols of the beginning that it is made of; 0: merged into the symbol before it
  int32_t previous, next;  // -1 at the ends
};

// Which pairs of symbols merge into what, and how early: the largest priority first.
template <class Priority>
class MergeTable {
 public:
  struct Candidate {
    Priority priority;
    int32_t left, right, merged;
    int32_t parts;  // of the merged symbol: tells a candidate that has gone stale
    bool operator<(const Candidate& other) const {
      return priority < other.priority || (priority == other.priority && left > other.left);
    }
  };

  explicit MergeTable(size_t most_pairs = 0) {
    while ((size_t{1} << (64 - shift_)) < 2 * most_pairs) --shift_;
    pairs_.resize(size_t{1} << (64 - shift_));
  }
  // At most the promised number of pairs. A pair that is there already is replaced.
  void insert(int32_t left, int32_t right, Priority priority, int32_t merged) {
    const uint64_t key = key_of(left, right);
    size_t at = slot(key);
    while (pairs_[at].key != kFree && pairs_[at].key != key) at = (at + 1) & (pairs_.size() - 1);
    pairs_[at] = {key, priority, merged};
  }
  // Merges the pair of the largest priority until no pair is in the table; the leftmost of equals. Symbols with a negative
  // id merge with nothing. `heap` is scratch.
  void merge(std::vector<MergeSymbol>& symbols, std::vector<Candidate>& heap) const {
    heap.clear();
    const auto consider = [&](int32_t left, int32_t right) {
      if (left < 0 || right < 0) return;
      const MergeSymbol &a = symbols[static_cast<size_t>(left)], &b = symbols[static_cast<size_t>(right)];
      const Pair* pair = find(a.id, b.id);
      if (pair == nullptr) return;
      heap.push_back({pair->priority, left, right, pair->merged, a.parts + b.parts});
      std::push_heap(heap.begin(), heap.end());
    };
    for (int32_t i = 1; i < static_cast<int32_t>(symbols.size()); ++i) consider(i - 1, i);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Candidate best = heap.back();
      heap.pop_back();
      MergeSymbol& left = symbols[static_cast<size_t>(best.left)];
      MergeSymbol& right = symbols[static_cast<size_t>(best.right)];
      if (left.parts == 0 || right.parts == 0 || left.parts + right.parts != best.parts) continue;
      left.id = best.merged;
      left.parts = best.parts;
      left.next = right.next;
      if (right.next >= 0) symbols[static_cast<size_t>(right.next)].previous = best.left;
      right.parts = 0;
      consider(left.previous, best.left);
      consider(best.left, left.next);
    }
  }

 private:
  struct Pair {
    uint64_t key = kFree;
    Priority priority = 0;
    int32_t merged = 0;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  static uint64_t key_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t slot(uint64_t key) const { return key * 0x9E3779B97F4A7C15u >> shift_; }
  const Pair* find(int32_t left, int32_t right) const {
    if (left < 0 || right < 0) return nullptr;
    const uint64_t key = key_of(left, right);
    for (size_t at = slot(key);; at = (at + 1) & (pairs_.size() - 1)) {
      if (pairs_[at].key == key) return &pairs_[at];
      if (pairs_[at].key == kFree) return nullptr;
    }
  }

  std::vector<Pair> pairs_;  // open addressing, at most half full
  int shift_ = 63;
};

}  // namespace sala::tokenizer
