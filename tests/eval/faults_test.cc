// A disk that fails, at any moment of a run: the results are right, or the run ends with an error code and can go on.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "sala/core/rng.h"
#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

void expect_no_wrong_file(int faults) {
  const TemporaryFolder models, folder;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment["SALA_MODELS"] = models.path();
  const auto words = [&](const std::string& out) -> Words {
    return {"run",      "--task",    "niah_single_1,niah_multikey_2",
            "--len",    "512",       "--samples",
            "2",        "--out",     folder.file(out),
            "--quiet",  "--threads", "2",
            "--resume", "-o",        "csv"};
  };
  ASSERT_EQ(program.run(words("whole")).code, 0);
  program.environment["LD_PRELOAD"] = SALA_IO_FAULTS;
  program.environment["IO_FAULT_FOLDER"] = folder.file("run");
  program.environment["IO_FAULT_COUNT"] = folder.file("count");
  ASSERT_EQ(program.run(words("run")).code, 0);
  const uint64_t calls = std::stoull(read_bytes(folder.file("count")));
  ASSERT_GT(calls, 100u) << "the calls are seen";
  fs::remove_all(folder.file("run"));
  Rng rng(static_cast<uint64_t>(faults), "tests/faults");
  int struck = 0, failed = 0;
  for (int fault = 0; fault < faults; ++fault) {
    // One call fails once; or all fail from then on, as on a full disk; or a write writes a part.
    const int kind = fault % 5, number = kind == 4 ? 0 : kind % 2 == 0 ? EIO : ENOSPC;
    program.environment["IO_FAULT_AT"] = std::to_string(1 + rng.below(calls));
    program.environment["IO_FAULT_ERRNO"] = std::to_string(number);
    if (kind == 3) program.environment["IO_FAULT_ALL"] = "1";
    const std::string what = "call " + program.environment["IO_FAULT_AT"] + " fails with " + std::to_string(number) +
                             (kind == 3 ? " for ever" : "");
    const Finished result = program.run(words("run"));
    // A slow machine saves more often, so that one run may have fewer calls than another.
    struck +=
        number != 0 && std::stoull(read_bytes(folder.file("count"))) >= std::stoull(program.environment["IO_FAULT_AT"]);
    program.environment.erase("IO_FAULT_ALL");
    program.environment["IO_FAULT_AT"] = "0";
    if (result.code != 0) {
      ++failed;
      EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kIo)) << what << ": " << result.err;
      EXPECT_NE(result.err.find("sala_eval: error [io] "), std::string::npos) << what << ": " << result.err;
      EXPECT_EQ(result.err.find("errno"), std::string::npos) << what << ": words of a library: " << result.err;
      const Finished resumed = program.run(words("run"));
      ASSERT_EQ(resumed.code, 0) << what << ": " << resumed.err;
    }
    expect_same_results(folder.file("whole") + "/run.h5", folder.file("run") + "/run.h5");
    EXPECT_EQ(program.run({"score", folder.file("run"), "--quiet"}).code, 0) << what;
    EXPECT_FALSE(testing::Test::HasFailure()) << what;
    fs::remove_all(folder.file("run"));
  }
  EXPECT_GT(struck, faults / 4);
  EXPECT_GT(failed, struck / 2) << "most faults must be noticed";
}

// Network file systems may have no locks: only EWOULDBLOCK means that another process has one.
TEST(Faults, AFileSystemWithoutLocksIsSaidAndUsed) {
  const TemporaryFolder models, folder;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment = {{"SALA_MODELS", models.path()}, {"LD_PRELOAD", SALA_IO_FAULTS}};
  const auto words = [&](int number) -> Words {
    return {
        "run", "--task", "niah_single_1", "--len", "512", "--samples", "1", "--out", folder.file(std::to_string(number))};
  };
  for (const int number : {ENOLCK, ENOSYS, EOPNOTSUPP}) {
    program.environment["IO_FAULT_FLOCK"] = std::to_string(number);
    const Finished result = program.run(words(number));
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("file system without locks"), std::string::npos) << result.err;
  }
  program.environment["IO_FAULT_FLOCK"] = std::to_string(EWOULDBLOCK);
  expect_refused(program, words(EWOULDBLOCK), ErrorCode::kUsage, {"another process"});
}

TEST(Faults, ThirtyGiveNoWrongFile) { expect_no_wrong_file(30); }
TEST(FaultsOften, TwoHundredAndFiftyGiveNoWrongFile) { expect_no_wrong_file(250); }

}  // namespace
}  // namespace sala::eval
