// Standard output and error as nobody wants them: closed, full, a pipe without a reader.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

class Streams : public testing::Test {
 protected:
  Streams() {
    write_random_family(models_.path());
    program_.environment["SALA_MODELS"] = models_.path();
  }
  Words run(const std::string& out) const {
    return {"run", "--task", "niah_single_1", "--len", "512", "--samples", "2", "--out", folder_.file(out)};
  }
  // One call of every command that prints a result.
  std::vector<Words> all_commands(const std::string& out) const {
    return {{"--help"},
            {"run", "--help"},
            {"--version"},
            {"list", "models"},
            {"explain", "--no-estimate", "--len", "512"},
            {"generate", "--task", "vt", "--len", "1k", "--count", "2", "--quiet"},
            {"score", SALA_SOURCE_DIR "/tests/data/predictions/ruler", "--quiet", "--partial"},
            run(out)};
  }
  const TemporaryFolder models_, folder_;
  Program program_{folder_.path()};
};

TEST_F(Streams, AResultThatCannotBePrintedIsAnError) {
  for (const char* way : {"full", "closed"}) {
    program_.standard_output = std::string(way) == "full" ? "/dev/full" : "";
    program_.closed = std::string(way) == "full" ? std::vector<int>{} : std::vector<int>{1};
    for (const Words& words : all_commands(way)) {
      const Finished result = program_.run(words);
      EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kIo)) << way << " " << words[0] << " " << result.err;
      EXPECT_NE(result.err.find("error [io] cannot write to standard output: "), std::string::npos)
          << way << " " << words[0] << " " << result.err;
    }
  }
  program_.standard_output = "";
  program_.closed = {};
  ASSERT_EQ(program_.run(run("good")).code, 0);
  for (const char* way : {"full", "closed"}) {  // the run itself was whole
    EXPECT_EQ(program_.run(joined(run(way), {"--resume"})).code, 0);
    expect_same_results(folder_.file("good") + "/run.h5", folder_.file(way) + "/run.h5");
  }
}

TEST_F(Streams, WhatIsSaidBesideTheResultMayBeLost) {
  for (const char* way : {"full", "closed", "all closed"}) {
    const std::string word = way;
    program_.standard_error = word == "full" ? "/dev/full" : "";
    program_.closed = word == "full" ? std::vector<int>{} : word == "closed" ? std::vector<int>{2} : std::vector<int>{0, 2};
    for (const Words& words : all_commands(way)) {
      const Finished result = program_.run(words);
      EXPECT_EQ(result.code, 0) << way << " " << words[0];
      EXPECT_NE(result.out, "") << way << " " << words[0];
    }
    EXPECT_EQ(program_.run({"bogus"}).code, static_cast<int>(ErrorCode::kUsage)) << way;
    // No file of the run got the number of a stream.
    EXPECT_EQ(program_.run(joined(run(way), {"--resume"})).code, 0) << way;
    EXPECT_EQ(program_.run({"score", folder_.file(way)}).code, 0) << way;
  }
}

}  // namespace
}  // namespace sala::eval
