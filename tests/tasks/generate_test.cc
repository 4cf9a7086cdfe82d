// `generate` as a user calls it: JSONL fields, bytes, refusals.
#include "eval/cli/generate.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/core/sha256.h"
#include "sala/tasks/task.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void generate(const std::string& flags) {
  Program program("test", "");
  add_generate_command(program);
  std::istringstream text("generate " + flags);
  program.run({std::istream_iterator<std::string>(text), {}});
}

class Generate : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override {
    fs::remove_all(folder_);
    set_num_threads(0);
  }
  void run(const std::string& words) const {
    generate("--tokenizer " + std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model " + words);
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

// The line has these fields of its benchmark, then the certificate, in this order.
void expect_fields(const Json& line, std::vector<std::string> fields) {
  for (const char* name : {"id", "mode", "samples_version", "corpora", "tokenizer", "seed", "max_length", "fill",
                           "prompt_tokens", "template_tokens", "tokens_to_generate", "evidence"})
    fields.push_back(name);
  std::vector<std::string> keys;
  for (const auto& [key, value] : line.items()) keys.push_back(key);
  EXPECT_EQ(keys, fields);
}

std::string file_of(const std::string& name) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/tasks/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Whole samples, byte for byte (how the file was made: tests/data/tasks/README.md).
TEST_F(Generate, GoldenSamples) {
  const std::string got = output("--task niah --len 1k --samples 1"), want = file_of("niah_1k.jsonl");
  ASSERT_EQ(lines_of(got).size(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(lines_of(got)[i], lines_of(want)[i]) << i;
  EXPECT_TRUE(got == want);
  EXPECT_TRUE(output("--task vt,cwe,fwe,qa_1,qa_2 --len 2k --samples 1") == file_of("ruler_2k.jsonl"));
}

// Spec tasks 2.9: the record, then what every sample says of itself.
TEST_F(Generate, NolimaRecords) {
  const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  const std::string text = output("--task nolima --len 2k --samples 3");
  EXPECT_TRUE(text == file_of("nolima_2k.jsonl"));
  std::vector<Json> lines = lines_of(text);
  ASSERT_EQ(lines.size(), 3u);
  const std::string upstream = output("--task nolima --len 1000 --samples 2 --mode upstream");
  lines.push_back(lines_of(upstream).at(1));
  for (const Json& line : lines) {
    expect_fields(line, {"pair", "template_id", "test_id", "question_type", "order", "book", "context_length", "depth",
                         "token_depth", "character", "prompt", "gold", "metric", "haystack_sha256", "system_prompt"});
    EXPECT_EQ(line["corpora"], "nolima-own");
    const std::string prompt = line["prompt"];
    const tasks::Sample again = tasks::regenerate(line["id"], *tokenizer);
    EXPECT_EQ(again.prompt(), prompt);
    EXPECT_EQ(line["prompt_tokens"], tokenizer->count(prompt));
    EXPECT_EQ(line["gold"], (Json{line["character"]}));
    // The haystack, cut out of the prompt by hand.
    const std::string before = "book snippet:\n\n";
    const size_t begin = prompt.find(before) + before.size(), end = prompt.find("\n\nUse the information");
    EXPECT_EQ(line["haystack_sha256"], sha256_hex(prompt.substr(begin, end - begin)));
    EXPECT_EQ(line["context_length"], again.window_tokens);
    EXPECT_NEAR(line["token_depth"], line["depth"].get<double>() * line["context_length"].get<double>(), 0.5);
  }
  EXPECT_EQ(lines[3]["context_length"], 1000) << "upstream's length is the window alone";
  EXPECT_EQ(lines[3]["id"], "nolima/nolima@1000#1!42~upstream");
}

TEST_F(Generate, OwnFilesMakeTheirOwnTasks) {
  const std::string needles = (folder_ / "needles.json").string();
  std::ofstream(needles)
      << R"([{"id": "0001", "needle": "It is said that {CHAR} owns the {1}.", "character_set": ["Ann", "Bob"],
    "questions": {"onehop": "Who is near {2}?"}, "tests": {"T1": {"input_args": ["mill", "sea"]}}}])";
  const Json line = lines_of(output("--task nolima --len 1k --samples 1 --needles " + needles)).at(0);
  EXPECT_EQ(line["pair"], "0001_T1_onehop");
  const std::string id = line["id"], hash = line["corpora"];
  EXPECT_EQ(id, "nolima_user/nolima_user@1024#0!42~files." + hash);
  EXPECT_EQ(lines_of(output("--needles " + needles + " --id " + id)).at(0), line);
  EXPECT_EQ(refusal("--id " + id), ErrorCode::kUsage) << "made from a file that is not given";
  EXPECT_EQ(
      refusal("--tokens --task nolima --len 1k --samples 1 --needles " + needles + " --out " + (folder_ / "x").string()),
      ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task mrcr_2 --len 4k --mode upstream"), ErrorCode::kUnsupported);
  EXPECT_EQ(refusal("--task nolima --len 4k --bins byte"), ErrorCode::kUsage);
}

TEST_F(Generate, EveryTaskIsTheSameForAnyThreads) {
  for (const tasks::Task* task : tasks::all_tasks()) {
    const std::string words = "--len 16k --samples 3 --task " + std::string(task->name());
    const std::string one = output(words + " --threads 1");
    EXPECT_TRUE(one == output(words + " --threads 3")) << task->name();
    for (const Json& line : lines_of(one)) {
      EXPECT_LE(line["fill"], 1) << line["id"];
      EXPECT_GE(line["fill"], 0.995) << line["id"];
    }
  }
}

// Words make it exact: what stands before and behind the haystack, whose ends are these.
TEST_F(Generate, TemplateTokensAreThoseOfThePromptWithoutItsHaystack) {
  const std::vector<std::array<std::string, 3>> ends = {{"niah", "afterwards.\n", "\nWhat "},
                                                        {"vt", "the following text.\n\n", "\nQuestion: Find"},
                                                        {"cwe", "appear most often.\n", "\nQuestion: What"},
                                                        {"fwe", "appeared coded words. ", "\nQuestion: Do"},
                                                        {"qa_1", "are given documents.\n\n", "\n\nAnswer the"},
                                                        {"qa_2", "are given documents.\n\n", "\n\nAnswer the"},
                                                        {"nolima", "book snippet:\n\n", "\n\nUse the"},
                                                        {"mrcr", "", "User:\nPrepend "}};
  const auto words = open_tokenizer("whitespace");
  int checked = 0;
  for (const auto& [group, begin, end] : ends)
    for (const tasks::Task* task : tasks::resolve_tasks(group))
      for (const tasks::Mode mode : {tasks::Mode::kFixed, tasks::Mode::kUpstream}) {
        if (mode == tasks::Mode::kUpstream && task->group() != "ruler") continue;
        tasks::SampleRequest request;
        request.length = 4096;
        request.mode = mode;
        const tasks::Sample sample = task->make_sample(request, *words);
        const std::string prompt = sample.prompt();
        const size_t from = begin.empty() ? 0 : prompt.rfind(begin) + begin.size(), to = prompt.rfind(end);
        ASSERT_LT(from, to) << sample.id;
        EXPECT_EQ(sample.template_tokens, words->count(prompt.substr(0, from)) + words->count(prompt.substr(to)))
            << sample.id;
        EXPECT_GT(sample.template_tokens, 10) << sample.id;
        ++checked;
      }
  EXPECT_EQ(checked, 2 * 13 + 1 + 3);
  EXPECT_EQ(
      lines_of(output("--task fwe --len 1k --samples 1")).at(0)["template_tokens"],
      tasks::regenerate("ruler/fwe@1024#0!42", *open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model"))
          .template_tokens);
}

// Spec tasks 1.9.
TEST_F(Generate, FieldsOfALine) {
  const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  const std::string text = output("--task niah --len 1k,2000 --samples 3 --seed 9");
  for (const char c : text) ASSERT_GE(c, 0) << "not ASCII";
  const std::vector<Json> lines = lines_of(text);
  ASSERT_EQ(lines.size(), 8u * 2 * 3);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Json& line = lines[i];
    expect_fields(line, {"index", "input", "outputs", "length", "length_w_model_temp", "answer_prefix",
                         "token_position_answer", "answer_char"});
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
    EXPECT_EQ(line["token_position_answer"], tokenizer->count(input.substr(0, input.find(first)))) << "upstream's number";
    int64_t answer = -1;
    for (const Json& span : line["evidence"])
      if (span["value"] == first) answer = span["value_token"];
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
  const std::string one = output("--task niah_multikey_2,niah_single_2 --len 1k --samples 9 --threads 1");
  EXPECT_TRUE(one == output("--task niah_multikey_2,niah_single_2 --len 1k --samples 9 --threads 5"));
  const std::string part = output("--task niah_multikey_2 --len 1k --first 4 --samples 5 --threads 2");
  EXPECT_NE(one.find(part), std::string::npos);
  EXPECT_EQ(lines_of(part)[0]["index"], 4);
}

TEST_F(Generate, ATokenizerThatDoesNotRoundTripIsSaid) {
  const auto said = [&](const std::string& words) {
    testing::internal::CaptureStderr();
    generate("--task niah_single_1 --len 1k --samples 1 --out " + (folder_ / "out").string() + " " + words);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(
      said("--tokenizer whitespace"),
      "generate: the whitespace tokenizer does not give texts back (it cannot decode): samples are exact, texts decoded "
      "with it are not\n");
  EXPECT_EQ(said("--tokenizer whitespace --quiet"), "");
  EXPECT_EQ(said("--tokenizer byte"), "");
}

TEST_F(Generate, TrainingSplitSamplesHaveTheirOwnIds) {
  const Json line = lines_of(output("--task niah_single_1 --len 1k --samples 1 --split train"))[0];
  EXPECT_EQ(line["id"], "ruler/niah_single_1@1024#0!42~train");
}

TEST_F(Generate, WritesPackedTokens) {
  const std::string bytes = output(
      "--tokens --split train --task niah --weights niah_single_1=0,niah_multiquery=2.5 --len 256 --samples 10 --quiet");
  EXPECT_EQ(bytes.size(), 48u + 10 * 256 * 3);
  EXPECT_EQ(bytes.substr(0, 8), "SALATOK1");
}

TEST_F(Generate, Refusals) {
  const std::string out = " --out " + (folder_ / "refused").string();
  EXPECT_EQ(refusal("--task niah_single_9 --len 1k" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1kk" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 64" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah" + out), ErrorCode::kUsage);
  EXPECT_EQ(refusal("--task niah --len 1k --samples 0" + out), ErrorCode::kUsage);
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
    EXPECT_EQ(refusal("--task niah_single_1 --len 256 --tokens --samples 1 --weights " + std::string(weights) + out),
              ErrorCode::kUsage)
        << weights;
  EXPECT_FALSE(fs::exists(folder_ / "refused"));
  EXPECT_EQ(refusal("--task niah --len 1k --out /dev/null"), ErrorCode::kIo);
  fs::create_symlink("/dev/null", folder_ / "link");
  EXPECT_EQ(refusal("--task niah --len 1k --out " + (folder_ / "link").string()), ErrorCode::kIo);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

// The program of its own says it as sala_eval does.
TEST_F(Generate, MessagesOfTheProgramAreBoundedAndPlain) {
  const fs::path err = folder_ / "err";
  const std::string task = "\x1b[2J" + std::string(6000, 'x');
  const std::string command = std::string(SALA_GENERATE_BINARY) + " --tokenizer byte --task '" + task + "' --len 1k --out " +
                              (folder_ / "never").string() + " 2> " + err.string();
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ErrorCode::kUsage));
  std::ifstream file(err, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(text.starts_with("sala_generate: error [usage] ")) << text.substr(0, 200);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_LT(text.size(), 4100u);
  EXPECT_FALSE(fs::exists(folder_ / "never"));
}

}  // namespace
}  // namespace sala::eval
