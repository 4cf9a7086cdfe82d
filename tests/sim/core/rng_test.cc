#include "sala/core/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace sala {
namespace {

using Block = std::array<uint32_t, 4>;

// The known answers published with the generator (Random123, philox4x32, 10
// rounds): zeros, ones, digits of pi.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, IsPhiloxOverBlockStreamAndSample) {
  const uint64_t key = stable_hash("domain", 7);
  Rng rng(7, "domain", (uint64_t{5} << 32) | 9, 3);
  for (uint32_t block = 0; block < 3; ++block)
    for (const uint32_t want : philox4x32({block, 3, 9, 5}, {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)}))
      EXPECT_EQ(rng.next_u32(), want);
}

// Every number of every stored sample and model hangs on these: they must never
// change.
TEST(Rng, PinnedNumbers) {
  Rng rng(42, "ruler/niah_single_1", 37, 0);
  const std::vector<uint32_t> got = {rng.next_u32(), rng.next_u32(), rng.next_u32(), rng.next_u32(), rng.next_u32()};
  EXPECT_EQ(got, (std::vector<uint32_t>{0xc1d731a4, 0xa0d1bf6f, 0x3700c80b, 0xfe3c1351, 0xc6b393ad}));
  Rng mixed(1, "pinned");
  EXPECT_EQ(mixed.next_u64(), 0xc4871388c9c6d85u);
  EXPECT_EQ(mixed.below(1000), 599u);
  EXPECT_EQ(mixed.between(-5, 5), -1);
  EXPECT_EQ(mixed.uniform(), 0x1.04e0228ee851bp-1);
}

TEST(Rng, TakesTheLowHalfOfA64BitNumberFirst) {
  Rng a(1, "halves"), b(1, "halves");
  const uint64_t low = a.next_u32(), high = a.next_u32();
  EXPECT_EQ(b.next_u64(), low | high << 32);
}

TEST(Rng, ASampleDoesNotDependOnTheOthers) {
  std::vector<uint64_t> forward, backward;
  for (int sample = 0; sample < 50; ++sample) forward.push_back(Rng(3, "order", static_cast<uint64_t>(sample)).next_u64());
  for (int sample = 49; sample >= 0; --sample) backward.push_back(Rng(3, "order", static_cast<uint64_t>(sample)).next_u64());
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
}

TEST(Rng, SeedsDomainsSamplesAndStreamsDiffer) {
  std::set<uint64_t> first;
  int made = 0;
  for (uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{42}, ~uint64_t{0}})
    for (const char* domain : {"", "a", "b", "ab", "ruler/niah_single_1", "ruler/niah_single_2"})
      for (uint64_t sample : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32})
        for (uint32_t stream : {0u, 1u, 7u}) first.insert(Rng(seed, domain, sample, stream).next_u64()), ++made;
  EXPECT_EQ(first.size(), static_cast<size_t>(made));
}

TEST(Rng, BelowStaysInRangeAndIsFair) {
  Rng rng(5, "below");
  EXPECT_EQ(rng.below(1), 0u);
  for (const uint64_t n : {uint64_t{2}, uint64_t{3}, uint64_t{7}, uint64_t{10}, uint64_t{40}}) {
    constexpr int kDraws = 40000;
    std::vector<int> count(n);
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t drawn = rng.below(n);
      ASSERT_LT(drawn, n);
      ++count[drawn];
    }
    double chi2 = 0;  // of n - 1 degrees of freedom: mean n - 1, variance 2 (n -
                      // 1); 6 sigma, and the draws are fixed
    const double expected = static_cast<double>(kDraws) / static_cast<double>(n);
    for (int c : count) chi2 += (c - expected) * (c - expected) / expected;
    const double freedom = static_cast<double>(n - 1);
    EXPECT_LT(chi2, freedom + 6 * std::sqrt(2 * freedom)) << "n = " << n;
  }
}

// With n = 3/4 of 2^64 plain multiplication would hit the multiples of 4/3
// twice: a third of the values at double rate.
TEST(Rng, BelowIsUnbiasedForHugeRanges) {
  Rng rng(6, "huge");
  const uint64_t n = uint64_t{3} << 62;
  constexpr int kDraws = 30000;
  int thirds[3] = {}, residues[3] = {};
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t drawn = rng.below(n);
    ASSERT_LT(drawn, n);
    ++thirds[drawn >> 62];
    ++residues[drawn % 3];
  }
  for (int part = 0; part < 3; ++part) {
    EXPECT_NEAR(thirds[part], kDraws / 3, 500);  // sigma is 82
    EXPECT_NEAR(residues[part], kDraws / 3, 500);
  }
  EXPECT_LT(rng.below(std::numeric_limits<uint64_t>::max()), std::numeric_limits<uint64_t>::max());
}

TEST(Rng, BetweenIncludesBothEnds) {
  Rng rng(8, "between");
  std::map<int64_t, int> seen;
  for (int i = 0; i < 2000; ++i) ++seen[rng.between(-2, 2)];
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen.begin()->first, -2);
  EXPECT_EQ(seen.rbegin()->first, 2);
  EXPECT_EQ(rng.between(9, 9), 9);
  const int64_t low = std::numeric_limits<int64_t>::min() + 1, high = std::numeric_limits<int64_t>::max();
  for (int i = 0; i < 100; ++i) EXPECT_GE(rng.between(low, high), low);
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(9, "moments");
  constexpr int kDraws = 50000;
  double mean = 0, square = 0, normal_mean = 0, normal_square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform(), z = rng.normal();
    ASSERT_TRUE(u >= 0 && u < 1);
    ASSERT_TRUE(std::isfinite(z));
    mean += u / kDraws, square += u * u / kDraws, normal_mean += z / kDraws, normal_square += z * z / kDraws;
  }
  EXPECT_NEAR(mean, 0.5, 0.01);
  EXPECT_NEAR(square, 1.0 / 3, 0.01);
  EXPECT_NEAR(normal_mean, 0, 0.03);
  EXPECT_NEAR(normal_square, 1, 0.05);
}

TEST(Rng, ShuffleIsAPermutationAndReachesAllOrders) {
  std::vector<int> items(1000), sorted;
  std::iota(items.begin(), items.end(), 0);
  sorted = items;
  Rng rng(10, "shuffle");
  rng.shuffle(items);
  EXPECT_NE(items, sorted);
  std::sort(items.begin(), items.end());
  EXPECT_EQ(items, sorted);

  std::map<std::vector<int>, int> orders;
  for (int i = 0; i < 6000; ++i) {
    std::vector<int> three = {0, 1, 2};
    rng.shuffle(three);
    ++orders[three];
  }
  EXPECT_EQ(orders.size(), 6u);
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, 1000, 180);  // sigma is 29
  std::vector<int> empty;
  rng.shuffle(empty);
  EXPECT_TRUE(empty.empty());
}

// Split membership, ids and caches are built on this function.
TEST(StableHash, PinnedValues) {
  EXPECT_EQ(stable_hash(""), 0xaebe53f85cdc3c4cu);
  EXPECT_EQ(stable_hash("a"), 0x66d7010a9a2ca88du);
  EXPECT_EQ(stable_hash("a", 1), 0x7fa5f2e1d98c59d3u);
  EXPECT_EQ(stable_hash(std::string_view("a\0b", 3), 0x5a1a), 0xb2be6215846bab0bu);
  EXPECT_EQ(stable_hash("1234567", 0x5a1a), 0xc304c98f2f668fffu);
}

TEST(StableHash, SpreadsOverAllBits) {
  constexpr int kTexts = 4000;
  int ones[64] = {};
  std::set<uint64_t> seen;
  for (int i = 0; i < kTexts; ++i) {
    const uint64_t h = stable_hash(std::to_string(i));
    seen.insert(h);
    for (int bit = 0; bit < 64; ++bit) ones[bit] += h >> bit & 1;
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kTexts));
  for (int bit = 0; bit < 64; ++bit) EXPECT_NEAR(ones[bit], kTexts / 2, 250) << "bit " << bit;  // sigma is 32
}

}  // namespace
}  // namespace sala
