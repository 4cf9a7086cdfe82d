// The tiles of a session on OpenMP's threads: the same bytes as on our own.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "sala/model/session.h"
#include "sim/core/tile_runner.h"
#include "sim/model/random_model.h"
#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

TEST(OpenMp, RunsEveryTileOnceAndRethrows) {
  ThreadPool pool(3, make_openmp_runner());
  std::vector<std::atomic<int>> runs(1000);
  std::atomic<bool> in_range{true};
  pool.run(1000, [&](int64_t tile, int worker) {
    ++runs[static_cast<size_t>(tile)];
    if (worker < 0 || worker >= 3) in_range = false;
  });
  for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
  EXPECT_TRUE(in_range);
  EXPECT_THROW(pool.run(64, [](int64_t, int) { throw std::runtime_error("tile"); }), std::runtime_error);
}

TEST(OpenMp, GivesTheBytesOfTheOwnPool) {
  for (const char* map : {"SL", "FL"})
    for (const Numerics numerics : {Numerics::kFp32, Numerics::kBf16}) {
      const ModelConfig config = small_config(map);
      const Model model = random_model(config, 21);
      const std::vector<int32_t> ids = random_ids(config, 700);
      const auto logits = [&](ThreadPool& pool) {
        SessionOptions options;
        options.max_tokens = 700;
        options.numerics = numerics;
        options.pool = &pool;
        Session session(model, options);
        session.prefill(ids);
        return std::vector<float>(session.logits().begin(), session.logits().end());
      };
      ThreadPool own(3, make_own_runner()), openmp(3, make_openmp_runner()), one(1);
      const std::vector<float> want = logits(one);
      EXPECT_EQ(logits(own), want) << map;
      EXPECT_EQ(logits(openmp), want) << map;
    }
}

}  // namespace
}  // namespace sala
