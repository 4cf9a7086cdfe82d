// Kills at random moments of runs, some of which grow: no finished sample is lost or answered twice, run.h5 can always be
// read, and what comes out at the end is what an uninterrupted run gives.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "eval/store/run_file.h"
#include "sala/core/rng.h"
#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

// Ids of the samples whose lines are whole.
std::set<std::string> finished(const std::string& folder) {
  std::set<std::string> ids;
  if (!fs::exists(folder + "/samples.jsonl")) return ids;
  const std::string text = read_bytes(folder + "/samples.jsonl");
  std::istringstream lines(text.substr(0, text.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    EXPECT_TRUE(ids.insert(json["id"].get<std::string>()).second) << "answered twice";
  }
  return ids;
}

// Every cell that run.h5 names can be read; returns the number of samples in it.
size_t readable(const std::string& path) {
  if (!fs::exists(path)) return 0;
  size_t samples = 0;
  const h5::File file = open_run_file(path);
  for (const std::string& task : file.open("cells").children())
    for (const std::string& length : file.open("cells/" + task).children())
      samples += file.open("cells/" + task + "/" + length).read_texts("answer").size();
  return samples;
}

void expect_nothing_lost(int kills_wanted) {
  const TemporaryFolder models, folder;
  write_random_family(models.path());
  Program program(folder.path());
  program.environment["SALA_MODELS"] = models.path();
  const auto words = [&](const std::string& out, int threads, int samples) -> Words {
    return {"run",
            "--task",
            "niah_single_1,niah_multikey_2",
            "--len",
            "512,600,700",
            "--out",
            folder.file(out),
            "--samples",
            std::to_string(samples),
            "--quiet",
            "--threads",
            std::to_string(threads),
            "--resume"};
  };
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(program.run(words("whole", 1, 3)).code, 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  Rng rng(1, "tests/kill");
  int kills = 0;
  for (int run = 0; kills < kills_wanted; ++run) {
    const std::string out = "run" + std::to_string(run);
    std::set<std::string> before;
    int samples = 1 + static_cast<int>(rng.below(3));  // which grow to three, finished or not
    for (bool ended = false; !ended;) {
      program.start(words(out, 1 + static_cast<int>(rng.below(3)), samples));
      const auto wait = std::chrono::duration<double>(seconds * 0.7 * rng.uniform());
      std::this_thread::sleep_for(std::chrono::duration_cast<std::chrono::microseconds>(wait));
      if (kills < kills_wanted) program.send(SIGKILL);
      const Finished result = program.wait();
      ended = result.code == 0 && samples == 3;
      kills += result.code == 128 + SIGKILL;
      ASSERT_TRUE(result.code == 0 || result.code == 128 + SIGKILL) << result.code << " " << result.err;
      if (samples < 3 && (result.code == 0 || rng.below(2) == 0)) ++samples;
      const std::set<std::string> after = finished(folder.file(out));
      EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end())) << "a finished sample is lost";
      EXPECT_LE(readable(folder.file(out) + "/run.h5"), after.size());
      before = after;
    }
    EXPECT_EQ(before.size(), 18u);
    EXPECT_FALSE(fs::exists(folder.file(out) + "/cells"));
    expect_same_results(folder.file("whole") + "/run.h5", folder.file(out) + "/run.h5");
    fs::remove_all(folder.file(out));
  }
}

TEST(Kill, TwentyKillsLoseNothing) { expect_nothing_lost(20); }
TEST(KillOften, TwoHundredKillsLoseNothing) { expect_nothing_lost(200); }

}  // namespace
}  // namespace sala::eval
