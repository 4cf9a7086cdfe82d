// A run that goes on in another numerics class.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

TEST(NumericsCli, ARunGoesOnInAnotherClassOnlyWhenTold) {
  const TemporaryFolder models, folder;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment["SALA_MODELS"] = models.path();
  const std::string out = folder.file("run");
  const auto run = [&](const Words& more) {
    return joined({"run", "--task", "niah_single_1", "--len", "512", "--quiet", "--out", out}, more);
  };
  ASSERT_EQ(program.run(run({"--samples", "1"})).code, 0);
  const Words larger = {"--samples", "2", "--dtype", "bf16", "--resume"};
  expect_refused(program, run(larger), ErrorCode::kConfig,
                 {"'numerics' is \"bf16\" now and was \"fp32\"", "--other-numerics"});
  const Finished told = program.run(run(joined(larger, {"--other-numerics"})));
  EXPECT_EQ(told.code, 0) << told.err;
  const auto plan = [&] { return nlohmann::json::parse(read_bytes(out + "/run.json"))["plan"]; };
  EXPECT_EQ(plan()["numerics"], "fp32, then bf16");
  EXPECT_EQ(program.run(run(joined(larger, {"--other-numerics"}))).code, 0) << "once more";
  EXPECT_EQ(plan()["numerics"], "fp32, then bf16");
  expect_refused(program, run({"--samples", "2", "--other-numerics"}), ErrorCode::kUsage, {"--resume"});
}

}  // namespace
}  // namespace sala::eval
