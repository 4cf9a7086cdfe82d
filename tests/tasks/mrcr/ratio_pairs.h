// The random pairs of strings whose difflib ratios are stored in tests/data/mrcr/sequence_ratios.txt; for the test and the
// benchmark.
#pragma once

#include <cstdint>
#include <string>

namespace sala::tasks {

// The pairs of tests/tools/make_sequence_ratios: same generator, same steps in the same order.
class RatioPair {
 public:
  explicit RatioPair(uint64_t index) : state_(index), index_(index), kind_(index % 8) {}
  void make(std::u32string& a, std::u32string& b);

 private:
  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t n) { return next() % n; }
  char32_t symbol(uint64_t alphabet) {
    constexpr char32_t kFirst[] = {0xE0, 0x3B1, 0x4E00, 0x1F600};
    const auto c = static_cast<char32_t>(below(alphabet));
    return kind_ == 5 ? kFirst[c % 4] + c / 4 : 97 + c;
  }
  std::u32string random_text(uint64_t size, uint64_t alphabet) {
    std::u32string text;
    for (uint64_t i = 0; i < size; ++i) text.push_back(symbol(alphabet));
    return text;
  }
  std::u32string words(uint64_t size) {
    std::u32string text;
    while (text.size() < size) {
      const uint64_t at = below(40);
      for (uint64_t i = 0; i < 2 + at % 4; ++i) text.push_back(static_cast<char32_t>(97 + (at * 7 + i * i + i) % 26));
      text.push_back(below(5) != 0 ? U' ' : static_cast<char32_t>(33 + below(64)));
    }
    text.resize(size);
    return text;
  }
  std::u32string mutate(const std::u32string& a, uint64_t alphabet, uint64_t one_in) {
    std::u32string b;
    for (char32_t c : a) {
      const uint64_t action = below(3 * one_in);
      if (action == 0) continue;
      if (action == 1) b.push_back(symbol(alphabet));
      b.push_back(action == 2 ? symbol(alphabet) : c);
    }
    return b;
  }

  uint64_t state_, index_, kind_;
};

inline void RatioPair::make(std::u32string& a, std::u32string& b) {
  switch (kind_) {
    case 0: {
      const uint64_t alphabet = 2 + below(3);
      a = random_text(below(61), alphabet);
      b = random_text(below(61), alphabet);
      break;
    }
    case 1:
      a = random_text(below(400), 26);
      b = random_text(below(400), 26);
      break;
    case 2: {
      const uint64_t alphabet = 2 + below(60);
      a = random_text(150 + below(100), alphabet);
      b = random_text(199 + below(3), alphabet);
      break;
    }
    case 3: {
      const uint64_t alphabet = 1 + below(40);
      a = random_text(50 + below(500), alphabet);
      b = mutate(a, alphabet, 2 + below(60));
      break;
    }
    case 4:
      a = words(200 + below(1200));
      b = words(200 + below(1200));
      break;
    case 5: {
      const uint64_t alphabet = 2 + below(200);
      a = random_text(below(500), alphabet);
      b = mutate(a, alphabet, 2 + below(30));
      break;
    }
    case 6:
      b = words(300 + below(1500));
      a = mutate(b, 26, 3 + below(200));
      break;
    default:
      if (index_ % 800 != 7) {
        a = random_text(below(4), 2);
        b = random_text(below(260), 3);
      } else {
        a = words(2000 + below(26000));
        b = mutate(a, 26, 5 + below(200));
      }
  }
}

}  // namespace sala::tasks
