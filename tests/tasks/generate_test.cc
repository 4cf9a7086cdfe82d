// `generate` as a user calls it: JSONL fields, bytes, refusals.
#include "eval/cli/generate.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/tasks/task.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class Generate : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override {
    fs::remove_all(folder_);
    set_num_threads(0);
  }
  void run(const std::string& words) const {
    CLI::App app("test");
    add_generate_command(app);
    app.parse("generate --tokenizer " + std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model " + words);
  }
  std::string output(const std::string& words) const {
    const std::string path = (folder_ / "out").string();
    run(words + " --out " + path);
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  ErrorCode refusal(const std::string& words) const {
    try {
      run(words);
    } catch (const Error& error) {
      return error.code();
    } catch (const CLI::ParseError&) {
      return ErrorCode::kUsage;
    }
    return ErrorCode::kInternal;
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("sala_generate_{}", ::getpid());
};

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  std::string line;
  while (std::getline(stream, line)) lines.push_back(Json::parse(line));
  return lines;
}

std::string file_of(const std::string& name) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/tasks/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Whole samples, byte for byte (how the file was made: tests/data/tasks/README.md).
TEST_F(Generate, GoldenSamples) {
  const std::string got = output("--task niah --len 1k --count 1"), want = file_of("niah_1k.jsonl");
  ASSERT_EQ(lines_of(got).size(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(lines_of(got)[i], lines_of(want)[i]) << i;
  EXPECT_TRUE(got == want);
  EXPECT_TRUE(output("--task vt,cwe,fwe,qa_1,qa_2 --len 2k --count 1") == file_of("ruler_2k.jsonl"));
}

// Spec tasks 1.9.
TEST_F(Generate, FieldsOfALine) {
  const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  const std::string text = output("--task niah --len 1k,2000 --count 3 --seed 9");
  for (const char c : text) ASSERT_GE(c, 0) << "not ASCII";
  const std::vector<Json> lines = lines_of(text);
  ASSERT_EQ(lines.size(), 8u * 2 * 3);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Json& line = lines[i];
    std::vector<std::string> keys;
    for (const auto& [key, value] : line.items()) keys.push_back(key);
    EXPECT_EQ(keys, (std::vector<std::string>{"index", "input", "outputs", "length", "length_w_model_temp", "answer_prefix",
                                              "token_position_answer", "answer_char", "id", "mode", "samples_version",
                                              "corpora", "tokenizer", "seed", "max_length", "fill", "prompt_tokens",
                                              "tokens_to_generate", "evidence"}));
    EXPECT_EQ(line["mode"], "fixed");
    EXPECT_EQ(line["tokenizer"], tokenizer->hash());
    EXPECT_DOUBLE_EQ(line["fill"], line["length"].get<double>() / line["max_length"].get<double>());
    EXPECT_EQ(line["index"], i % 3) << "the index counts samples; upstream's niah has a character offset here";
    const std::string input = line["input"], prefix = line["answer_prefix"], first = line["outputs"][0];
    const auto ids = tokenizer->encode(input + prefix);
    EXPECT_EQ(line["prompt_tokens"], ids.size());
    EXPECT_EQ(line["length"], ids.size() + 128);
    EXPECT_EQ(line["length_w_model_temp"], line["length"]);
    EXPECT_LE(line["length"], i / 3 % 2 == 0 ? 1024 : 2000);
    EXPECT_EQ(line["answer_char"], input.find(first));
    const int64_t answer = line["token_position_answer"];
    const std::string before =
        tokenizer->decode({ids.begin(), ids.begin() + answer});  // the space may belong to the answer's first piece
    EXPECT_TRUE(before.ends_with(" is: ") || before.ends_with(" is:")) << before.substr(before.size() - 20);
    EXPECT_NE(
        tokenizer->decode({ids.begin() + answer, ids.begin() + answer + static_cast<int64_t>(first.size()) + 1}).find(first),
        std::string::npos);
    EXPECT_EQ(tasks::regenerate(line["id"], *tokenizer).prompt(), input + prefix);
    EXPECT_EQ(line["evidence"].size(), line["outputs"].size());
    for (const Json& span : line["evidence"]) EXPECT_LT(span["token_begin"], span["token_end"]);
  }
}

TEST_F(Generate, TheSameBytesForAnyThreadsAndAnyPart) {
  const std::string one = output("--task niah_multikey_2,niah_single_2 --len 1k --count 9 --threads 1");
  EXPECT_TRUE(one == output("--task niah_multikey_2,niah_single_2 --len 1k --count 9 --threads 5"));
  const std::string part = output("--task niah_multikey_2 --len 1k --first 4 --count 5 --threads 2");
  EXPECT_NE(one.find(part), std::string::npos);
  EXPECT_EQ(lines_of(part)[0]["index"], 4);
}

TEST_F(Generate, TrainingSplitSamplesHaveTheirOwnIds) {
  const Json line = lines_of(output("--task niah_single_1 --len 1k --count 1 --split train"))[0];
  EXPECT_EQ(line["id"], "ruler/niah_single_1@1024#0!42~train");
}

TEST_F(Generate, WritesPackedTokens) {
  const std::string bytes = output(
      "--tokens --split train --task niah --weights niah_single_1=0,niah_multiquery=2.5 --len 256 --count 10 --quiet");
  EXPECT_EQ(bytes.size(), 48u + 10 * 256 * 3);
  EXPECT_EQ(bytes.substr(0, 8), "SALATOK1");
}

TEST_F(Generate, Refusals) {
  const std::string out = " --out " + (folder_ / "refused").string();
  EXPECT_EQ(refusal("--task niah_single_9 --len 1k" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1kk" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 64" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --count 0" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --first -1" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --first 9223372036854775807" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --threads 1000000" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --split test" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --tokenizer nowhere" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --out /no/such/folder/x"), ErrorCode::kIo);
  EXPECT_EQ(refusal("--task niah --len 1k --tokens"), ErrorCode::kUsage) << "a binary file needs a name";
  EXPECT_EQ(refusal("--task niah --len 1k,2k --tokens" + out), ErrorCode::kUsage) << "rows have one length";
  for (const char* weights : {"niah_single_1", "niah_single_1=", "niah_single_1=x", "niah_single_1=-1", "niah_single_1=inf",
                              "niah_single_1=nan", "niah_single_1=1x", "other=1", "niah_single_1=0"})
    EXPECT_EQ(refusal("--task niah_single_1 --len 256 --tokens --count 1 --weights " + std::string(weights) + out),
              ErrorCode::kUsage)
        << weights;
  EXPECT_FALSE(fs::exists(folder_ / "refused"));
  struct stat status;
  if (::stat("/dev/full", &status) == 0) {
    EXPECT_EQ(refusal("--task niah --len 1k --out /dev/full"), ErrorCode::kIo);
  }
}

}  // namespace
}  // namespace sala::eval
