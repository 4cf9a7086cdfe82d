// The fingerprint of weights beyond a gibibyte, in a file with a hole: every byte counts.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "eval/spec/models.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

TEST(WeightsHash, OneByteOfALargeFileChangesIt) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  constexpr int64_t kBytes = (int64_t{1} << 30) + 12345;
  write_bytes(path, "weights");
  std::filesystem::resize_file(path, kBytes);
  ModelEntry entry;
  entry.directory = folder.path();
  int64_t told = 0;
  const std::string before = weights_hash(entry, [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, kBytes);
    told = done;
  });
  EXPECT_EQ(told, kBytes);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(kBytes / 1024 * 700 + 100'000);  // far from the beginning of any of 1,024 pieces
  file.put('x');
  file.close();
  EXPECT_NE(weights_hash(entry), before);
}

}  // namespace
}  // namespace sala::eval
