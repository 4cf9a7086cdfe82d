// `sala_eval run` on the user's own files, from end to end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/store/run_file.h"
#include "sala/core/error.h"
#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
class UserFilesCli : public testing::Test {
 protected:
  void SetUp() override {
    write_random_family(models_.path());
    program_.environment["SALA_MODELS"] = models_.path();
  }
  void expect_failure(const Words& words, ErrorCode code, const std::vector<std::string>& parts) {
    expect_refused(program_, words, code, parts);
  }
  const TemporaryFolder models_, folder_;
  Program program_{folder_.path()};
};

TEST_F(UserFilesCli, OwnFilesAndModeMakeTheSamplesAndAreStored) {
  std::string book;
  for (int day = 0; day < 300; ++day)
    book += fmt::format("They went down to the river and stayed there for the whole of day {}, as one does.\n", day);
  fs::create_directories(folder_.file("books"));
  write_atomically(folder_.file("books") + "/one.txt", book);
  const auto write_needles = [&](const std::string& verb) {
    write_atomically(folder_.file("needles.json"),
                     R"([{"id": "0001", "needle": "It is said that {CHAR} )" + verb + R"( the {1}.",
      "character_set": ["Ann", "Bob"], "questions": {"onehop": "Who is near {2}?"}, "tests": {"T1": {"input_args": ["mill", "sea"]}}}])");
  };
  write_needles("owns");
  const Words words = {"run", "--task",    "nolima",       "--len",   "250",   "--mode", "upstream", "--samples",
                       "1",   "--needles", "needles.json", "--books", "books", "--out",  "own"};
  Finished result = program_.run(words);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("run: needles needles.json ("), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("run: book one.txt books/one.txt ("), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("nolima_user"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("Samples in mode upstream.\nMade from the user's files: needles (sha256 "), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("add\n--len 500,1000."), std::string::npos) << result.out;
  EXPECT_EQ(result.err.find("run: needles: "), std::string::npos) << "nothing is given away: " << result.err;
  const auto plan = nlohmann::json::parse(read_bytes(folder_.file("own") + "/summary.json"))["sala"]["plan"];
  EXPECT_EQ(plan["mode"], "upstream");
  EXPECT_EQ(plan["files"].size(), 2u);
  EXPECT_EQ(plan["files"][0]["sha256"].get<std::string>().size(), 64u);
  const h5::File file = open_run_file(folder_.file("own") + "/run.h5");
  EXPECT_EQ(nlohmann::json::parse(file.text("config"))["files"], plan["files"]);
  const auto sample = nlohmann::json::parse(read_bytes(folder_.file("own") + "/samples.jsonl"));
  EXPECT_EQ(sample["id"], "nolima_user/nolima_user@250#0!42~upstream~files." + plan["files_hash"].get<std::string>());
  EXPECT_GT(sample["prompt_tokens"].get<int64_t>(), 250) << "upstream's length is the window alone";

  // `score` reads the run again, with the files or without them.
  const auto before = nlohmann::json::parse(read_bytes(folder_.file("own") + "/summary.json"));
  const Finished scored =
      program_.run({"score", "own", "--needles", "needles.json", "--books", "books", "--quiet", "-o", "json"});
  EXPECT_EQ(scored.code, 0) << scored.err;
  const auto after = nlohmann::json::parse(scored.out);
  EXPECT_EQ(after["results"], before["results"]);
  EXPECT_EQ(after["sala"]["aggregates"]["nolima_user"], before["sala"]["aggregates"]["nolima_user"]);
  EXPECT_EQ(program_.run({"score", "own", "--task", "nolima"}).code, 0);

  // --resume: the same files may lie elsewhere; another mode or another file is refused.
  fs::rename(folder_.file("needles.json"), folder_.file("moved.json"));
  Words moved = words;
  std::replace(moved.begin(), moved.end(), std::string("needles.json"), std::string("moved.json"));
  EXPECT_EQ(program_.run(joined(moved, {"--resume"})).code, 0);
  expect_failure(joined(moved, {"--resume", "--mode", "fixed", "--len", "512"}), ErrorCode::kConfig, {"--resume", "'mode'"});
  write_needles("went to");
  expect_failure(joined(words, {"--resume"}), ErrorCode::kConfig, {"--resume", "'files_hash'"});
}

TEST_F(UserFilesCli, WhatIsWrongWithNeedlesIsSaidAndTheRestUsed) {
  write_atomically(folder_.file("needles.json"), R"([{"id": "0001", "needle": "It is said that {CHAR} owns the {1}.",
      "character_set": ["Ann", "Bob"], "questions": {"onehop": "Who owns a thing near {2}?"}, "tests": {"T1": {"input_args": ["mill", "sea"]}}},
      {"id": "0002"}])");
  const Finished result =
      program_.run({"generate", "--task", "nolima", "--len", "1k", "--samples", "1", "--needles", "needles.json"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("needles.json: template 2 ('0002'): field 'needle' is missing"), std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("needles: 0001_T1_onehop: needle and question share 'own'"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("nolima_user"), std::string::npos);
}

// Rows 0 to 4 are there, row 5 is not: what is written does not depend on who finds that out first.
TEST_F(UserFilesCli, AFailureKeepsWhatCameBeforeForAnyThreads) {
  const auto row = [](int number) {
    return nlohmann::ordered_json{
        {"prompt",
         {{{"role", "user"}, {"content", "hello"}},
          {{"role", "user"}, {"content", "write a poem about owls"}},
          {{"role", "assistant"}, {"content", fmt::format("owl {}", number)}},
          {{"role", "user"},
           {"content",
            "Prepend 0123456789 to the 1st (1 indexed) poem about owls. Do not include any other text in your response."}}}},
        {"answer", fmt::format("0123456789owl {}", number)},
        {"random_string_to_prepend", "0123456789"},
        {"n_needles", 1},
        {"desired_msg_index", 1},
        {"tokens", 5000}};
  };
  std::string rows;
  for (int i = 0; i < 5; ++i) rows += row(i).dump() + "\n";
  write_atomically(folder_.file("rows.jsonl"), rows);
  for (const char* threads : {"1", "8"})
    for (int again = 0; again < 4; ++again) {
      const Finished result = program_.run({"generate", "--task", "mrcr", "--len", "8k", "--samples", "60", "--mrcr",
                                            "rows.jsonl", "--quiet", "--threads", threads});
      EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kUsage)) << result.err;
      EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 5) << threads;
    }
}

TEST_F(UserFilesCli, OfficialRowsMayBeLongerThanTheirBin) {
  std::string preamble;
  for (int i = 0; i < 4000; ++i) preamble += "a word and ";
  const nlohmann::ordered_json row = {
      {"prompt",
       {{{"role", "user"}, {"content", preamble}},
        {{"role", "user"}, {"content", "write a poem about owls"}},
        {{"role", "assistant"}, {"content", "x"}},
        {{"role", "user"},
         {"content",
          "Prepend 0123456789 to the 1st (1 indexed) poem about owls. Do not include any other text in your response."}}}},
      {"answer", "0123456789x"},
      {"random_string_to_prepend", "0123456789"},
      {"n_needles", 1},
      {"desired_msg_index", 1},
      {"tokens", 5000}};
  write_atomically(folder_.file("rows.jsonl"), row.dump() + "\nbroken\n");
  const Finished result = program_.run({"run", "--task", "mrcr", "--len", "8k", "--samples", "1", "--mrcr", "rows.jsonl",
                                        "--probe", "none", "--out", "rows"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("run: rows.jsonl:2: this is no JSON"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("mrcr_official_1"), std::string::npos) << result.out;
  const auto sample = nlohmann::json::parse(read_bytes(folder_.file("rows") + "/samples.jsonl"));
  EXPECT_GT(sample["prompt_tokens"].get<int64_t>(), 8192);
  expect_failure({"run", "--task", "mrcr", "--len", "8k", "--samples", "2", "--mrcr", "rows.jsonl", "--out", "never"},
                 ErrorCode::kUsage, {"mrcr_official_1", "1 rows"});
  EXPECT_FALSE(fs::exists(folder_.file("never")));
}

}  // namespace
}  // namespace sala::eval
