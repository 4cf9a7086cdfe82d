// A set of strings that keeps their hashes only: two strings that share a 64-bit hash are one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sala::tasks {

// Open addressing: eight bytes a slot, at most three quarters of them taken. Not to be used once it was moved from.
class HashSet {
 public:
  bool insert(uint64_t hash) {  // false when it is there already
    if (hash == 0) hash = 1;    // 0 marks a free slot
    reserve(used_ + 1);
    const size_t at = find(hash);
    if (slots_[at] == hash) return false;
    slots_[at] = hash;
    ++used_;
    return true;
  }
  bool contains(uint64_t hash) const { return slots_[find(hash == 0 ? 1 : hash)] != 0; }
  size_t size() const { return used_; }
  void reserve(size_t hashes) {
    size_t slots = slots_.size();
    while (4 * hashes > 3 * slots) slots *= 2;
    if (slots == slots_.size()) return;
    std::vector<uint64_t> old(slots);
    old.swap(slots_);
    for (const uint64_t hash : old)
      if (hash != 0) slots_[find(hash)] = hash;
  }

 private:
  size_t find(uint64_t hash) const {
    size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  std::vector<uint64_t> slots_ = std::vector<uint64_t>(16);
  size_t used_ = 0;
};

}  // namespace sala::tasks
