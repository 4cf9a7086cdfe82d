// A mixer, a position encoding, a statistic and a task from a folder of their own go the whole way, from config.json to
// run.h5 and --resume, and nothing else in the tree knows them.
#include <gtest/gtest.h>

#include <filesystem>

#include "eval/store/h5.h"
#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"
#include "tests/extension/toys.h"

namespace sala::eval {
namespace {

ModelConfig config_with_toys() {
  ModelConfig config = random_config("SLLS");
  const std::string json = config.to_json();
  std::string text = json;
  const auto replace = [&](const std::string& what, const std::string& with) {
    const size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what << " not in " << text;
    text.replace(at, what.size(), with);
  };
  // The second and the last layer, in the words of config.json.
  replace("\"lightning-attn\"", "\"running-mean\"");
  replace("\"scale_emb\"", "\"running_mean\": {\"width\": 12, \"keep\": 0.75},\n \"scale_emb\"");
  replace("\"sala_lab\": {",
          "\"sala_lab\": {\"position_encodings\": [\"rope\", {\"type\": \"alternating\", \"factor\": 2}, \"rope\", "
          "\"alternating\"],");
  return ModelConfig::from_json(text);
}

class Extension : public testing::Test {
 protected:
  static void SetUpTestSuite() { toys::register_all(); }
  void SetUp() override {
    write_random_model(folder_.file("mine"), config_with_toys(), 3);
    std::filesystem::copy_file(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model",
                               folder_.file("mine/tokenizer.model"));
    run_ = {"run",   "--model", folder_.file("mine"), "--task", "toys,niah_single_1",
            "--len", "512,700", "--samples",          "3",      "--quiet"};
  }
  // All of the run's words in the folder `out`.
  Words into(const std::string& out) const { return joined(run_, {"--out", folder_.file(out)}); }
  std::string text_of(const Words& words) {
    const Finished result = program_.run(words);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  }

  TemporaryFolder folder_;
  Program program_{folder_.path()};
  Words run_;
};

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " not in:\n" << text;
}

TEST_F(Extension, ListsAndExplainKnowTheParts) {
  expect_words(text_of({"list", "mixers"}), {"running-mean", "mean of all values so far"});
  expect_words(text_of({"list", "posencs"}), {"alternating", "odd positions times a factor"});
  expect_words(text_of({"list", "statistics"}), {"strength", "length of what a running mean shows"});
  expect_words(text_of({"list", "tasks"}), {"parrot", "toys"});
  const std::string plan = text_of({"explain", "--model", folder_.file("mine"), "--len", "512"});
  expect_words(plan, {"SMLS", "running-mean", "alternating", "running means", "means"});
}

TEST_F(Extension, ARunRecordsWhatTheStatisticSaw) {
  text_of(into("run"));
  const h5::File file = h5::File::load(folder_.file("run/run.h5"));
  for (const std::string cell : {"cells/parrot/512", "cells/parrot/700", "cells/niah_single_1/512"})
    EXPECT_FALSE((file.read_array<double>(cell + "/strength/layer_01/norm").empty())) << cell;
  // The layer's number is written nowhere but in the config: layers without the mixer have no group.
  EXPECT_FALSE(file.has("cells/parrot/512/strength/layer_00"));
  for (const double norm : file.read_array<double>("cells/parrot/512/strength/layer_01/norm"))
    EXPECT_TRUE(std::isnan(norm) || norm > 0) << norm;
}

TEST_F(Extension, ReportsShowItsFigure) {
  const std::string table = text_of(into("run"));
  expect_words(table, {"  strength  ", "\nstrength: mean length of what the running mean shows."});
  const std::string csv = text_of(joined(into("run"), {"--resume", "--output", "csv"}));
  expect_words(csv.substr(0, csv.find('\n')), {",reached,strength,fill,"});
  expect_words(read_bytes(folder_.file("run/summary.json")), {"\"mean_strength\": "});
}

TEST_F(Extension, ThreadsChunksAndResumingGiveTheSameBytes) {
  text_of(into("one"));
  text_of(joined(into("two"), {"--threads", "3", "--chunk", "64"}));
  expect_same_results(folder_.file("one/run.h5"), folder_.file("two/run.h5"));

  std::filesystem::copy(folder_.file("one"), folder_.file("cut"), std::filesystem::copy_options::recursive);
  const std::string journal = read_bytes(folder_.file("cut/samples.jsonl"));
  size_t lines = 0, end = 0;
  for (; lines < 5; ++lines) end = journal.find('\n', end) + 1;
  write_bytes(folder_.file("cut/samples.jsonl"), journal.substr(0, end));
  text_of(joined(into("cut"), {"--resume"}));
  expect_same_results(folder_.file("one/run.h5"), folder_.file("cut/run.h5"));
}

TEST_F(Extension, TheirOwnFieldsAreSwitchesAndAreChecked) {
  text_of(joined(into("one"), {}));
  text_of(joined(into("kept"), {"--keep", "0.5"}));
  EXPECT_NE(read_bytes(folder_.file("one/samples.jsonl")), read_bytes(folder_.file("kept/samples.jsonl")));
  expect_refused(program_, joined(into("odd"), {"--set", "running_mean.width=11"}), ErrorCode::kConfig,
                 {"running_mean.width is odd"});
  expect_refused(program_, {"run", "--model", folder_.file("mine"), "--task", "parot", "--len", "512"}, ErrorCode::kUsage,
                 {"parrot"});
}

TEST_F(Extension, SamplesAreGeneratedAndScored) {
  const std::string lines = text_of({"generate", "--task", "parrot", "--len", "512", "--samples", "2", "--tokenizer",
                                     folder_.file("mine/tokenizer.model")});
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  expect_words(lines, {"toys/parrot@512#1", "Remember "});
}

}  // namespace
}  // namespace sala::eval
