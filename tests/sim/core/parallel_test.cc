#include "sala/core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace sala {
namespace {

// Leaves the thread count as it was found.
class ParallelFor : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_num_threads(GetParam()); }
  void TearDown() override { set_num_threads(0); }
};

TEST_P(ParallelFor, RunsEveryTileOnceOnAWorkerInRange) {
  EXPECT_EQ(num_threads(), GetParam());
  for (const int64_t tiles : {0, 1, 2, 3, 63, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(tiles));
    std::atomic<bool> in_range{true};
    parallel_for(tiles, [&](int64_t tile, int worker) {
      ++runs[static_cast<size_t>(tile)];
      if (worker < 0 || worker >= num_threads()) in_range = false;
    });
    EXPECT_TRUE(in_range);
    for (int64_t tile = 0; tile < tiles; ++tile) EXPECT_EQ(runs[static_cast<size_t>(tile)], 1) << tile << " of " << tiles;
  }
}

TEST_P(ParallelFor, NoTwoTilesShareAWorkerAtTheSameTime) {
  std::vector<std::atomic<int>> busy(static_cast<size_t>(num_threads()));
  std::atomic<int> clashes{0};
  parallel_for(500, [&](int64_t, int worker) {
    if (busy[static_cast<size_t>(worker)]++ != 0) ++clashes;
    std::this_thread::yield();
    --busy[static_cast<size_t>(worker)];
  });
  EXPECT_EQ(clashes, 0);
}

TEST_P(ParallelFor, RethrowsAnExceptionOfATileAndWorksAfterwards) {
  std::atomic<int> ran{0};
  const auto run = [&] {
    parallel_for(10000, [&](int64_t tile, int) {
      ++ran;
      if (tile == 5) throw std::runtime_error("tile five");
    });
  };
  try {
    run();
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "tile five");
  }
  EXPECT_GE(ran, 1);
  if (GetParam() == 1) {
    EXPECT_EQ(ran, 6) << "tiles after the failed one must not run";
  }
  std::atomic<int64_t> sum{0};
  parallel_for(100, [&](int64_t tile, int) { sum += tile; });
  EXPECT_EQ(sum, 4950);
}

TEST_P(ParallelFor, KeepsOneExceptionWhenEveryTileThrows) {
  EXPECT_THROW(parallel_for(64, [](int64_t, int) { throw std::runtime_error("all"); }), std::runtime_error);
}

TEST_P(ParallelFor, NestedCallsRunSeriallyAndCompletely) {
  std::vector<std::vector<int64_t>> order(8);
  parallel_for(8, [&](int64_t outer, int) {
    parallel_for(20, [&](int64_t inner, int) { order[static_cast<size_t>(outer)].push_back(inner); });
  });
  for (const auto& inner : order) {
    ASSERT_EQ(inner.size(), 20u);
    if (GetParam() == 1) continue;
    for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(inner[static_cast<size_t>(i)], i);
  }
}

TEST_P(ParallelFor, CallersFromSeveralThreadsGetAllTheirTiles) {
  std::vector<std::atomic<int64_t>> sums(4);
  std::vector<std::thread> callers;
  for (std::atomic<int64_t>& sum : sums)
    callers.emplace_back([&sum] {
      for (int round = 0; round < 200; ++round) parallel_for(10, [&](int64_t tile, int) { sum += tile; });
    });
  for (std::thread& caller : callers) caller.join();
  for (const std::atomic<int64_t>& sum : sums) EXPECT_EQ(sum, 200 * 45);
}

INSTANTIATE_TEST_SUITE_P(Threads, ParallelFor, testing::Values(1, 2, 3, 16));

TEST(Threads, ZeroAndLessMeanAll) {
  set_num_threads(0);
  const int all = num_threads();
  EXPECT_GE(all, 1);
  set_num_threads(-3);
  EXPECT_EQ(num_threads(), all);
  set_num_threads(0);
}

}  // namespace
}  // namespace sala
