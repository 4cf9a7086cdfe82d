// `sala_eval score` as a user meets it.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sala/core/error.h"
#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kGolden = std::string(SALA_SOURCE_DIR) + "/tests/data/predictions";

class ScoreCli : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  Program program_{folder_.path()};
};

TEST_F(ScoreCli, PrintsTheTableAndWritesTheSummaries) {
  const Finished result =
      program_.run({"score", "--task", "ruler", "--model", "someone", "--out", folder_.file("s"), kGolden + "/ruler"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("niah_multivalue            4k   4,096  4  37.50"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("What\nanswered them is someone."), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("score: note: the tasks at 4,096 have different numbers of samples: 2, 3, 4"), std::string::npos)
      << result.err;
  const Json summary = Json::parse(read_bytes(folder_.file("s") + "/summary.json"));
  EXPECT_EQ(summary["results"]["niah_multivalue"]["4096,none"], 0.375);
  EXPECT_EQ(summary["sala"]["aggregates"]["ruler"]["tasks"][0]["nulls"], "1/4");
  EXPECT_EQ(summary["sala"]["plan"]["files"].size(), 4u);
  EXPECT_EQ(summary["sala"]["notes"].size(), 1u);
  EXPECT_NE(read_bytes(folder_.file("s") + "/summary.md").find("RULER: Score by depth"), std::string::npos);
}

TEST_F(ScoreCli, WhatCannotBeScoredIsSaidTheRestIsKeptAndTheExitCodeTells) {
  std::string text = read_bytes(kGolden + "/ruler/4096/pred/vt.jsonl");
  write_bytes(folder_.file("vt.jsonl"), text + text.substr(0, 50));
  const Finished result = program_.run({"score", "--len", "4k", folder_.file("vt.jsonl"), "--out", folder_.file("s")});
  EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kFormat)) << result.err;
  EXPECT_NE(result.out.find("vt        4k   4,096  2  16.67"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("vt.jsonl:3: the line: not valid JSON"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("error [format] 1 problem is named above; 2 predictions scored\n"), std::string::npos)
      << result.err;
  EXPECT_EQ(Json::parse(read_bytes(folder_.file("s") + "/summary.json"))["sala"]["problems"].size(), 1u);
}

TEST_F(ScoreCli, AFolderWithResultsIsNotWrittenTo) {
  fs::create_directory(folder_.file("s"));
  for (const char* name : {"summary.json", "run.json"}) {
    write_bytes(folder_.file("s") + "/" + name, "mine");
    const Finished result = program_.run({"score", kGolden + "/ruler", "--out", folder_.file("s")});
    EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kUsage));
    EXPECT_NE(result.err.find("already holds " + std::string(name)), std::string::npos) << result.err;
    EXPECT_EQ(read_bytes(folder_.file("s") + "/" + name), "mine");
    EXPECT_FALSE(fs::exists(folder_.file("s") + "/summary.md"));
    fs::remove(folder_.file("s") + "/" + name);
  }
}

TEST_F(ScoreCli, ARunIsScoredAgainAndItsPlanSaysWhatIsMissing) {
  const TemporaryFolder models;
  write_random_family(models.path());
  program_.environment["SALA_MODELS"] = models.path();
  const std::string run = folder_.file("run");
  ASSERT_EQ(program_
                .run({"--task", "niah_single_1,mrcr_2", "--len", "2k", "--sample", "1,3", "--out", run, "--quiet",
                      "--threads", "1"})
                .code,
            0);
  const Json before = Json::parse(read_bytes(run + "/summary.json"));
  const Finished same = program_.run({"score", run, "-o", "json"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(same.err, "");
  const Json after = Json::parse(same.out);
  EXPECT_EQ(after["results"], before["results"]);
  EXPECT_EQ(after["sala"]["aggregates"], before["sala"]["aggregates"]);
  const std::string journal = read_bytes(run + "/samples.jsonl");
  write_bytes(run + "/samples.jsonl", journal.substr(journal.find('\n') + 1));
  const Finished less = program_.run({"score", run});
  EXPECT_EQ(less.code, static_cast<int>(ErrorCode::kFormat));
  EXPECT_NE(less.err.find("samples.jsonl: niah_single_1@2048: 1 of 2 samples are missing: 1;"), std::string::npos)
      << less.err;
  EXPECT_EQ(program_.run({"score", run, "--partial"}).code, 0);
  EXPECT_EQ(program_.run({"score", run, "--task", "mrcr"}).code, 0);
  std::string changed = journal;
  char& digit = changed[journal.find("\"score\":") + 8];
  digit = digit == '0' ? '1' : '0';
  write_bytes(run + "/samples.jsonl", changed);
  const Finished damaged = program_.run({"score", run});
  EXPECT_EQ(damaged.code, static_cast<int>(ErrorCode::kFormat));
  EXPECT_NE(damaged.err.find("samples.jsonl:1: the line is damaged"), std::string::npos) << damaged.err;
}

// The plans of runs say who answered.
TEST_F(ScoreCli, RunsOfOneModelShareATableAndOfTwoDoNot) {
  const TemporaryFolder models;
  write_random_family(models.path());
  program_.environment["SALA_MODELS"] = models.path();
  const auto run = [&](const std::string& out, const Words& more) {
    return program_
        .run(joined({"--task", "niah_single_1", "--samples", "1", "--out", folder_.file(out), "--quiet", "--probe", "none"},
                    more))
        .code;
  };
  ASSERT_EQ(run("a", {"--len", "512"}), 0);
  ASSERT_EQ(run("b", {"--len", "600", "--seed", "7"}), 0);
  ASSERT_EQ(run("c", {"--len", "600", "--model", "full-tiny"}), 0);
  ASSERT_EQ(run("d", {"--len", "600", "--topk", "5"}), 0);
  const Finished both = program_.run({"score", folder_.file("a"), folder_.file("b"), "--quiet"});
  EXPECT_EQ(both.code, 0) << both.err;
  for (const char* other : {"c", "d"})
    expect_refused(program_, {"score", folder_.file("a"), folder_.file(other), "--quiet", "--model", "one"},
                   ErrorCode::kUsage, {"runs of two models", "one by one"});
  std::string plan = read_bytes(folder_.file("a/run.json"));
  plan.replace(plan.find("sala-tiny"), 9, "sala-tinz");
  write_bytes(folder_.file("a/run.json"), plan);
  expect_refused(program_, {"score", folder_.file("a")}, ErrorCode::kFormat, {"run.json is damaged", "checksum"});
}

TEST_F(ScoreCli, EverySampleHasALineInSamplesOut) {
  write_bytes(folder_.file("vt.jsonl"), R"({"index":0,"input":"a","outputs":["X","Y"],"pred":"X"})"
                                        "\n"
                                        R"({"index":1,"input":"b","outputs":["Z"],"pred":"Z"})"
                                        "\n");
  const Words words = {"score", "vt.jsonl", "--len", "4k", "--samples-out", "scores.jsonl"};
  ASSERT_EQ(program_.run(words).code, 0);
  std::istringstream lines(read_bytes(folder_.file("scores.jsonl")));
  std::string line;
  for (const auto& [index, score] : std::map<int, double>{{0, 0.5}, {1, 1}}) {
    ASSERT_TRUE(std::getline(lines, line));
    const Json json = Json::parse(line);
    EXPECT_EQ(json["task"], "vt");
    EXPECT_EQ(json["length"], 4096);
    EXPECT_EQ(json["index"], index);
    EXPECT_EQ(json["score"], score);
    EXPECT_EQ(json["place"], "vt.jsonl:" + std::to_string(index + 1));
  }
  EXPECT_FALSE(std::getline(lines, line));
  expect_refused(program_, words, ErrorCode::kUsage, {"--samples-out scores.jsonl is there already"});
}

TEST_F(ScoreCli, WrongWordsAreRefused) {
  const auto refused = [&](const std::vector<std::string>& words, ErrorCode code, const std::string& part) {
    std::vector<std::string> all = {"score"};
    all.insert(all.end(), words.begin(), words.end());
    const Finished result = program_.run(all);
    EXPECT_EQ(result.code, static_cast<int>(code)) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  const std::string files = kGolden + "/ruler";
  refused({}, ErrorCode::kUsage, "files");
  refused({files, "--format", "rular"}, ErrorCode::kUsage, "rular");
  refused({files, "--task", "rular"}, ErrorCode::kUsage, "ruler");
  refused({files, "--len", "4k,8k"}, ErrorCode::kUsage, "--len is 2 lengths here");
  refused({files, "--samples", "0"}, ErrorCode::kUsage, "--samples");
  refused({files, "--tsk", "ruler"}, ErrorCode::kUsage, "--task");
  refused({files, "--bins", "nowhere"}, ErrorCode::kUsage, "nowhere");
  refused({files, "--tokenizer", "nowhere"}, ErrorCode::kUsage, "nowhere");
  refused({files, "--task", "mrcr"}, ErrorCode::kFormat, "nothing there is of the tasks asked for");
  refused({"/nowhere.jsonl"}, ErrorCode::kIo, "/nowhere.jsonl");
}

}  // namespace
}  // namespace sala::eval
