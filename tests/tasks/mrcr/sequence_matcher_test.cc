// The grader's ratio against CPython: the golden vectors of spec tasks 3.4 and 10,000 stored results.
#include "tasks/mrcr/sequence_matcher.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sala::tasks {
namespace {

const std::string kFox = "The quick brown fox jumps over the lazy dog. ";

std::string times(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(SequenceMatcher, GoldenVectorsOfTheSpec) {
  EXPECT_EQ(sequence_ratio("", "").ratio, 1.0);
  EXPECT_EQ(sequence_ratio("abc", "").ratio, 0.0);
  EXPECT_EQ(sequence_ratio("", "abc").ratio, 0.0);
  EXPECT_EQ(sequence_ratio("tide", "diet").ratio, 0.25);
  EXPECT_EQ(sequence_ratio("diet", "tide").ratio, 0.5);
  EXPECT_EQ(sequence_ratio(times(kFox, 5), times(kFox, 5)).ratio, 1.0);
  EXPECT_EQ(sequence_ratio(times(kFox, 4), times(kFox, 5)).ratio, 0.8888888888888888);
  EXPECT_EQ(sequence_ratio(times(kFox, 5), times(kFox, 4)).ratio, 0.8888888888888888);
  const std::string five = times(kFox, 5), many = times("a", 200);
  EXPECT_EQ(sequence_ratio("x" + five, five).ratio, 0.0);
  EXPECT_EQ(sequence_ratio(times(kFox, 5) + "x", times(kFox, 5)).ratio, 0.9977827050997783);
  EXPECT_EQ(sequence_ratio(times("a", 200), times("a", 200)).ratio, 1.0);
  EXPECT_EQ(sequence_ratio("b" + many, many).ratio, 0.0);
  EXPECT_EQ(sequence_ratio(times("ab", 150), times("ba", 150)).ratio, 0.0);
}

TEST(SequenceMatcher, CountsCodePointsNotBytes) {
  EXPECT_EQ(code_points("a\u00e9\u4e2d\U0001f600").size(), 4u);
  // One of four characters differs, whatever their bytes.
  EXPECT_EQ(sequence_ratio("a\u00e9\u4e2d\U0001f600", "a\u00e9\u4e2d\U0001f601").ratio, 0.75);
}

TEST(SequenceMatcher, InvalidBytesBecomeReplacementCharacters) {
  EXPECT_EQ(code_points("a\xff\xc3"), U"a\ufffd\ufffd");
  EXPECT_EQ(code_points("\xed\xa0\x80"), U"\ufffd\ufffd\ufffd");  // a surrogate
  EXPECT_EQ(code_points("\xc0\xaf"), U"\ufffd\ufffd");            // overlong
  EXPECT_EQ(code_points("\xf0\x9f\x98"), U"\ufffd\ufffd\ufffd");  // cut short
}

TEST(SequenceMatcher, ReuseGivesTheSameRatio) {
  SequenceMatcher matcher(code_points(times(kFox, 5)));
  const std::u32string a = code_points(times(kFox, 5) + "x"), b = code_points(times(kFox, 3) + "lazy ");
  const double first = matcher.ratio(a).ratio, second = matcher.ratio(b).ratio;
  EXPECT_EQ(matcher.ratio(a).ratio, first);
  EXPECT_EQ(matcher.ratio(b).ratio, second);
}

TEST(SequenceMatcher, StopsAtTheWorkLimitAndSaysSo) {
  const std::u32string a(5000, U'a'), b(199, U'a');  // below 200: no autojunk, 5000 * 199 cells
  const RatioResult full = SequenceMatcher(b).ratio(a);
  EXPECT_FALSE(full.capped);
  EXPECT_EQ(full.matched, 199);
  const RatioResult capped = SequenceMatcher(b, true, 100'000).ratio(a);
  EXPECT_TRUE(capped.capped);
  EXPECT_EQ(capped.ratio, 0.0);
  EXPECT_EQ(capped.matched, 0);
}

// The pairs of tests/tools/make_sequence_ratios: same generator, same steps in the same order.
class PairMaker {
 public:
  explicit PairMaker(uint64_t index) : state_(index), index_(index), kind_(index % 8) {}
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

void PairMaker::make(std::u32string& a, std::u32string& b) {
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

TEST(SequenceMatcher, TenThousandPairsAgreeWithCPythonToTheBit) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/mrcr/sequence_ratios.txt");
  ASSERT_TRUE(file.good());
  uint64_t index = 0, wrong = 0;
  for (std::string line; std::getline(file, line); ++index) {
    std::istringstream fields(line);
    std::string with_autojunk, without;
    size_t a_size = 0, b_size = 0;
    fields >> with_autojunk >> without >> a_size >> b_size;
    std::u32string a, b;
    PairMaker(index).make(a, b);
    ASSERT_EQ(a.size(), a_size) << "pair " << index << ": the generators disagree";
    ASSERT_EQ(b.size(), b_size) << "pair " << index << ": the generators disagree";
    const double expected = std::strtod(with_autojunk.c_str(), nullptr);
    const double actual = SequenceMatcher(b).ratio(a).ratio;
    bool same = std::bit_cast<uint64_t>(actual) == std::bit_cast<uint64_t>(expected);
    if (without != "-") {
      const double expected_plain = without == "=" ? expected : std::strtod(without.c_str(), nullptr);
      same = same &&
             std::bit_cast<uint64_t>(SequenceMatcher(b, false).ratio(a).ratio) == std::bit_cast<uint64_t>(expected_plain);
    }
    if (!same && ++wrong <= 5) ADD_FAILURE() << "pair " << index << ": " << actual << ", CPython says " << line;
  }
  EXPECT_EQ(index, 10000u);
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace sala::tasks
