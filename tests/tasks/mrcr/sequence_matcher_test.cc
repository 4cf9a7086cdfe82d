// The grader's ratio against CPython: the golden vectors of spec tasks 3.4 and 10,000 stored results.
#include "tasks/mrcr/sequence_matcher.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/tasks/mrcr/ratio_pairs.h"

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
    RatioPair(index).make(a, b);
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
