// Runs that are verified, and what a change of each kind is called.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/spec/plan_file.h"
#include "eval/spec/record.h"
#include "eval/store/directory.h"
#include "sim/text/json.h"
#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

class Verify : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    made_ = new TemporaryFolder;
    fs::create_directory(made_->file("models"));
    write_random_family(made_->file("models"));
    Program program(made_->path());
    program.environment["SALA_MODELS"] = made_->file("models");
    ASSERT_EQ(program
                  .run({"run", "--task", "niah_single_1,niah_multikey_2", "--len", "512", "--samples", "4", "--quiet",
                        "--out", made_->file("run")})
                  .code,
              0);
  }
  static void TearDownTestSuite() { delete made_; }
  void SetUp() override {
    fs::copy(made_->path(), folder_.path(), fs::copy_options::recursive);
    program_.environment["SALA_MODELS"] = folder_.file("models");
  }
  Finished verify(const Words& more = {}) { return program_.run(joined({"verify", run_, "--quiet"}, more)); }
  void expect_differs(const Finished& result, const std::vector<std::string>& parts) {
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_EQ(result.out.substr(0, 9), "differs: ") << result.out;
    for (const std::string& part : parts) EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  }
  // Changes the journal's line number `line` and seals it again, as somebody who wants to deceive would.
  template <class Change>
  std::string change_record(std::size_t line, const Change& change) {
    std::istringstream lines(read_bytes(run_ + "/" + kJournalFile));
    std::string text, each, id;
    for (std::size_t i = 0; std::getline(lines, each); ++i) {
      SampleRecord record = parse_line(unsealed(each));
      if (i == line) {
        change(record);
        id = record.id;
      }
      text += sealed(to_line(record)) + "\n";
    }
    write_bytes(run_ + "/" + kJournalFile, text);
    return id;
  }

  static const TemporaryFolder* made_;
  const TemporaryFolder folder_;
  const std::string run_ = folder_.file("run");
  Program program_{folder_.path()};
};
const TemporaryFolder* Verify::made_ = nullptr;

TEST_F(Verify, AGoodRunIsIdenticalOnAnyThreadsAndKernelsAndIsNotTouched) {
  const std::string before = read_bytes(run_ + "/" + kJournalFile);
  for (const Words& more : {Words{"--threads", "1"}, Words{"--threads", "2"}, Words{"--kernels", "portable"}}) {
    const Finished result = verify(more);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "identical: 4 of 8 finished samples\n");
  }
  EXPECT_EQ(verify({"--all"}).out, "identical: 8 of 8 finished samples\n");
  EXPECT_EQ(verify({"--id", "ruler/niah_single_1@512#3!42"}).out, "identical: 1 of 8 finished samples\n");
  EXPECT_EQ(read_bytes(run_ + "/" + kJournalFile), before);
}

TEST_F(Verify, AFlippedAnswerIsFoundByItsFirstToken) {
  const std::string id = change_record(1, [](SampleRecord& record) { record.answer_ids.at(2) ^= 1; });
  expect_differs(verify({"--all"}), {id + ": the answer: token 2 is "});
}

TEST_F(Verify, AScoreThatIsNotTheAnswersIsFound) {
  const std::string id = change_record(0, [](SampleRecord& record) { record.score = 0.75; });
  expect_differs(verify({"--all"}), {id + ": the score: it is 0.0, was 0.75"});
}

TEST_F(Verify, AChangedSampleIsFound) {
  const std::string id = change_record(2, [](SampleRecord& record) { record.expected.at(0) += "1"; });
  expect_differs(verify({"--all"}), {id + ": the sample: expected answer 0 is "});
  change_record(2, [](SampleRecord& record) {
    record.expected.at(0).pop_back();
    record.evidence.at(0).token_begin -= 1;
  });
  expect_differs(verify({"--id", id}), {id + ": the sample: piece of evidence 0 is "});
}

TEST_F(Verify, AChangedStatisticIsFoundByItsFirstElement) {
  const std::string side = run_ + "/samples.arrays";
  std::string arrays = read_bytes(side);
  const std::string id = change_record(0, [&](SampleRecord& record) {
    const auto offset = static_cast<std::size_t>(record.arrays->offset),
               bytes = static_cast<std::size_t>(record.arrays->bytes);
    SampleArrays changed = parse_arrays(arrays.substr(offset, bytes));
    for (NamedArray& array : changed.arrays)
      if (array.path == "select/layer_00/blocks") array.bytes[sizeof(int32_t)] ^= 1;
    const std::string now = array_bytes(changed);
    ASSERT_EQ(now.size(), bytes);
    arrays.replace(offset, bytes, now);
    record.arrays->hash = hash_hex(stable_hash(now));
  });
  write_bytes(side, arrays);
  expect_differs(verify({"--all"}), {id + ": the statistics: select/layer_00/blocks: element [0, 0, 1] is "});
}

TEST_F(Verify, ChangedWeightsAreFoundByTheirFingerprint) {
  write_random_model(folder_.file("models") + "/sala-tiny", random_config(), 3);
  expect_differs(verify(), {"the weights: the fingerprint of sala-tiny is ", ", was "});
}

TEST_F(Verify, WhatCannotBeVerifiedIsRefusedInASentence) {
  const Words words = {"verify", run_};
  expect_refused(program_, {"verify", folder_.file("nothing")}, ErrorCode::kIo, {"there is no", "give the folder of a run"});
  expect_refused(program_, joined(words, {"--id", "ruler/vt@512#0!42"}), ErrorCode::kUsage, {"'ruler/vt@512#0!42'"});
  expect_refused(program_, joined(words, {"--kernels", "ref"}), ErrorCode::kUsage, {"--kernels ref"});
  expect_refused(program_, joined(words, {"--tokenizer", "byte"}), ErrorCode::kConfig, {"tokenizer"});
  expect_refused(program_, joined(words, {"--all", "--id", "a"}), ErrorCode::kUsage, {"--all and --id"});
  expect_refused(program_, joined(words, {"--model", folder_.file("gone")}), ErrorCode::kIo, {"gone"});
  const std::string journal = run_ + "/" + kJournalFile, lines = read_bytes(journal);
  std::string damaged = lines;
  damaged[100] ^= 1;
  write_bytes(journal, damaged);
  expect_refused(program_, words, ErrorCode::kFormat, {"line 1", "checksum"});
  write_bytes(journal, lines);
  SavedPlan saved = read_plan_file(run_ + "/" + kPlanFile);
  const SavedPlan good = saved;
  const auto expect_plan_refused = [&](const char* field, const nlohmann::ordered_json& value, ErrorCode code,
                                       const std::string& part) {
    saved = good;
    saved.plan[field] = value;
    write_plan_file(run_ + "/" + kPlanFile, saved);
    expect_refused(program_, words, code, {part});
  };
  expect_plan_refused("numerics_version", 999, ErrorCode::kUnsupported, "'numerics_version' was 999 and is ");
  expect_plan_refused("numerics", "fp32, then bf16", ErrorCode::kUnsupported, "'fp32, then bf16'");
  expect_plan_refused("files_hash", "0123456789abcdef", ErrorCode::kConfig, "give the same");
  expect_plan_refused("cells", {{"mine@512", "0-3"}}, ErrorCode::kUnsupported, "no task is called 'mine'");
  expect_plan_refused("seed", "many", ErrorCode::kFormat, "damaged");
}

}  // namespace
}  // namespace sala::eval
