// Ids of words seen before, one cache per thread (no locks). When full it starts again from empty: memory stays bounded.
// The caller hashes while it looks for the end of the word: finish(mix(mix(kHashSeed, byte), byte)..., kind).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace sala::tokenizer {

class WordCache {
 public:
  static constexpr uint64_t kHashSeed = 0x9E3779B97F4A7C15u;
  static uint64_t mix(uint64_t hash, unsigned char byte) { return (hash ^ byte) * 0x100000001B3u; }
  // Never 0. Words of two kinds (`kind` 0 or 1) never share a hash.
  static uint64_t finish(uint64_t hash, uint64_t kind) {
    return ((hash ^ hash >> 32) * 0xD6E8FEB86659FD93u & ~uint64_t{3}) | kind << 1 | 1;
  }

  struct Entry {
    uint64_t hash = 0;  // 0 marks a free slot
    uint32_t text_begin = 0, data_begin = 0;
    uint16_t text_size = 0, count = 0;
  };
  // A word and its ids; offsets follow the ids in `data`.
  const Entry* find(uint64_t hash, std::string_view word) const {
    for (size_t slot = hash >> kShift;; slot = (slot + 1) & kMask) {
      const Entry& entry = slots_[slot];
      if (entry.hash == 0) return nullptr;
      if (entry.hash == hash && entry.text_size == word.size() && equal(text_.data() + entry.text_begin, word))
        return &entry;
    }
  }
  const int32_t* ids(const Entry& entry) const { return data_.data() + entry.data_begin; }
  const int32_t* offsets(const Entry& entry) const { return ids(entry) + entry.count; }

  void insert(uint64_t hash, std::string_view word, const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets) {
    if (used_ == kMaxWords) clear();
    size_t slot = hash >> kShift;
    while (slots_[slot].hash != 0) slot = (slot + 1) & kMask;
    slots_[slot] = {hash, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(data_.size()),
                    static_cast<uint16_t>(word.size()), static_cast<uint16_t>(ids.size())};
    text_.insert(text_.end(), word.begin(), word.end());
    data_.insert(data_.end(), ids.begin(), ids.end());
    data_.insert(data_.end(), offsets.begin(), offsets.end());
    ++used_;
  }

 private:
  static constexpr int kShift = 48;  // the slot is the top 16 bits
  static constexpr size_t kSlots = size_t{1} << (64 - kShift), kMask = kSlots - 1, kMaxWords = kSlots / 2;
  // Two overlapping loads in place of a call for the words of most texts.
  static bool equal(const char* known, std::string_view word) {
    const size_t size = word.size();
    const auto same = [&]<class Bytes>(Bytes, size_t at) {
      Bytes a, b;
      std::memcpy(&a, known + at, sizeof a);
      std::memcpy(&b, word.data() + at, sizeof b);
      return a == b;
    };
    if (size > 16) return std::memcmp(known, word.data(), size) == 0;
    if (size >= 8) return same(uint64_t{}, 0) && same(uint64_t{}, size - 8);
    if (size >= 4) return same(uint32_t{}, 0) && same(uint32_t{}, size - 4);
    for (size_t i = 0; i < size; ++i)
      if (known[i] != word[i]) return false;
    return true;
  }
  void clear() {
    slots_.assign(kSlots, {});
    text_.clear();
    data_.clear();
    used_ = 0;
  }
  std::vector<Entry> slots_ = std::vector<Entry>(kSlots);
  std::vector<char> text_;
  std::vector<int32_t> data_;
  size_t used_ = 0;
};

}  // namespace sala::tokenizer
