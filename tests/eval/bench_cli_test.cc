#include <gtest/gtest.h>

#include <filesystem>
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

TEST(BenchCli, TheMachineIsMeasuredOnceAndRunsSayHowRightThePlanWas) {
  const TemporaryFolder models, folder, cache;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment = {{"SALA_MODELS", models.path()}, {"SALA_CACHE", cache.path()}};
  const Words explain = {"explain", "--len", "1k", "--threads", "1", "--on", "cpu"};
  const std::string measuring = "measuring how fast this machine is, once: some seconds; kept in " + cache.path();
  const auto run = [&](const std::string& out, const Words& more) {
    return program.run(joined(
        {"run", "--task", "niah_single_1", "--len", "512", "--samples", "1", "--threads", "1", "--out", folder.file(out)},
        more));
  };
  EXPECT_NE(run("unknown", {}).err.find(" planned"), std::string::npos);
  EXPECT_EQ(read_bytes(folder.file("unknown") + "/summary.json").find("expected_prefill_seconds"), std::string::npos);
  const Finished first = program.run(explain), second = program.run(explain);
  EXPECT_NE(first.err.find(measuring), std::string::npos) << first.err;
  EXPECT_NE(first.out.find("Served by a"), std::string::npos) << first.out;
  EXPECT_EQ(second.err.find("measuring"), std::string::npos) << second.err;
  EXPECT_EQ(first.out, second.out);
  const Finished known = run("known", {});
  EXPECT_NE(known.err.find(" expected; memory: up to "), std::string::npos) << known.err;
  const std::string summary = read_bytes(folder.file("known") + "/summary.json");
  for (const char* name : {"expected_prefill_seconds", "planned_bytes", "peak_bytes"})
    EXPECT_NE(summary.find(name), std::string::npos) << name;
  EXPECT_EQ(run("quiet", {"--quiet"}).err, "");
  for (const auto& file : std::filesystem::directory_iterator(cache.file("devices")))
    write_bytes(file.path().string(), "dense_tflops = 0\n");
  EXPECT_NE(program.run(explain).err.find(measuring), std::string::npos) << "a damaged file is made anew";
  program.environment["SALA_CACHE"] = "/dev/null/x";
  EXPECT_NE(program.run(explain).err.find("it is not kept: "), std::string::npos);
}

}  // namespace
}  // namespace sala::eval
