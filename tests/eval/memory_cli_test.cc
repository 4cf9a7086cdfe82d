// --mem bounds the process: the least limit that a run accepts is more than it ever takes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

TEST(MemoryLimit, TheProcessStaysWithinTheLeastLimitThatIsAccepted) {
  const TemporaryFolder models, folder;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment["SALA_MODELS"] = models.path();
  int runs = 0;
  for (const Words& what : {Words{"--task", "vt", "--len", "1k", "--samples", "1", "--threads", "1"},
                            Words{"--task", "niah_single_1,cwe", "--len", "2k", "--samples", "2", "--threads", "4"},
                            Words{"--task", "qa_2", "--len", "16k", "--samples", "2", "--threads", "2"}}) {
    Finished result;
    int64_t mib = 20;
    do {
      mib += 4;
      const Words limited = {"--mem", fmt::format("{}m", mib), "--quiet", "--out", folder.file(std::to_string(++runs))};
      result = program.run(joined(joined({"run"}, what), limited));
      ASSERT_TRUE(result.code == 0 || result.code == static_cast<int>(ErrorCode::kMemory)) << result.err;
    } while (result.code != 0 && mib < 400);
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_LE(result.peak_bytes, mib << 20) << "--mem " << mib << "m";
    EXPECT_GT(result.peak_bytes, (mib << 20) / 3) << "the limit is not far off: --mem " << mib << "m";
  }
}

}  // namespace
}  // namespace sala::eval
