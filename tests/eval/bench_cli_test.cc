#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

TEST(BenchCli, BenchMeasuresWhatItIsAskedFor) {
  const TemporaryFolder models, folder;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment["SALA_MODELS"] = models.path();
  const std::string out = folder.file("bench.json");
  const Words words = {"bench", "--len", "700,512", "--repeats", "1", "--new-tokens", "2", "--out", out, "-o", "csv"};
  const Finished result = program.run(words);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out.substr(0, 14), "length,tokens,") << result.out;
  const auto json = nlohmann::json::parse(read_bytes(out));
  ASSERT_EQ(json["times"].size(), 2);
  EXPECT_EQ(json["times"][0]["tokens"], 512);
  EXPECT_EQ(json["times"][1]["tokens"], 700);
  for (const auto& row : json["times"])
    for (const char* name : {"first token s", "a new token ms", "memory MiB"}) EXPECT_GT(row[name].get<double>(), 0) << name;
  EXPECT_TRUE(json["parts"].empty()) << "the CPU's kernels are not timed";
  EXPECT_EQ(json["numerics"], "fp32");
  EXPECT_NE(json["provenance"]["command"].get<std::string>().find("bench --len 700,512"), std::string::npos);
  EXPECT_EQ(program.run({"bench", "--len", "512", "--repeats", "0"}).code, static_cast<int>(ErrorCode::kUsage));
}

}  // namespace
}  // namespace sala::eval
