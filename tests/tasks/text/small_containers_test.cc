#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "sala/core/rng.h"
#include "tasks/text/hash_set.h"
#include "tasks/text/word_list.h"

namespace sala::tasks {
namespace {

TEST(HashSet, EmptyOneHoldsNothing) {
  const HashSet set;
  EXPECT_EQ(set.size(), 0u);
  for (uint64_t hash : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) EXPECT_FALSE(set.contains(hash));
}

TEST(HashSet, IsASetThroughEveryGrowth) {
  HashSet set;
  std::set<uint64_t> expected;
  Rng rng(3, "test");
  for (int i = 0; i < 5000; ++i) {
    // Few low bits: long runs of taken slots, which wrap around.
    const uint64_t hash = 1 + (rng.below(4) << 60 | (rng.below(700) << 4 | 15));
    EXPECT_EQ(set.contains(hash), expected.contains(hash));
    EXPECT_EQ(set.insert(hash), expected.insert(hash).second);
    EXPECT_EQ(set.size(), expected.size());
  }
  for (const uint64_t hash : expected) EXPECT_TRUE(set.contains(hash));
  EXPECT_FALSE(set.contains(2));
}

TEST(HashSet, ZeroCountsAsOne) {
  HashSet set;
  EXPECT_TRUE(set.insert(0));
  EXPECT_TRUE(set.contains(0));
  EXPECT_FALSE(set.insert(1));
  EXPECT_EQ(set.size(), 1u);
}

TEST(HashSet, ReserveKeepsWhatIsThere) {
  HashSet set;
  for (uint64_t hash = 1; hash <= 10; ++hash) set.insert(hash * 0x9E3779B97F4A7C15u);
  set.reserve(1000);
  for (uint64_t hash = 1; hash <= 10; ++hash) EXPECT_FALSE(set.insert(hash * 0x9E3779B97F4A7C15u));
  EXPECT_EQ(set.size(), 10u);
}

TEST(WordList, GivesWordsBack) {
  const std::vector<std::string> words = {"alpha", "", "beta", std::string(300, 'x'), ""};
  WordList list;
  EXPECT_EQ(list.size(), 0);
  for (const std::string& word : words) list.push_back(word);
  ASSERT_EQ(list.size(), 5);
  for (size_t i = 0; i < words.size(); ++i) EXPECT_EQ(list[static_cast<int64_t>(i)], words[i]);
  list.clear();
  EXPECT_EQ(list.size(), 0);
  list.push_back("gamma");
  EXPECT_EQ(list[0], "gamma");
}

}  // namespace
}  // namespace sala::tasks
