// Files and words that ask for more than they may, through the program: one sentence and an exit code, in bounded memory.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

class Hostile : public testing::Test {
 protected:
  void SetUp() override { program_.environment["SALA_MODELS"] = std::string(SALA_SOURCE_DIR) + "/models"; }
  void refused(const Words& words, ErrorCode code, const std::vector<std::string>& parts) {
    SCOPED_TRACE(words[0] + " " + words.back().substr(0, 80));
    expect_refused(program_, words, code, parts);
  }
  std::string write(const std::string& name, const std::string& text) const {
    write_bytes(folder_.file(name), text);
    return folder_.file(name);
  }
  const TemporaryFolder folder_;
  Program program_{folder_.path()};
};

TEST_F(Hostile, NestingIsLimitedInEveryKindOfFile) {
  refused({"run", "--config", write("a.toml", "[set]\n" + repeated("a.", 100000) + "b = 1\n")}, ErrorCode::kFormat,
          {"a.toml", "16 parts"});
  refused({"run", "--config", write("c.toml", "set = {a = \"\\\"\", " + repeated("b.", 100000) + "c = 1}\n")},
          ErrorCode::kFormat, {"c.toml", "16 parts"});
  refused({"run", "--config", write("b.toml", "a = " + repeated("[", 100000) + "\n")}, ErrorCode::kFormat,
          {"b.toml", "no TOML"});
  refused({"explain", "--set", repeated("a.", 60000) + "b=1"}, ErrorCode::kConfig, {"'a.a.", "at most 200"});
  refused({"explain", "--set", "eos_token_id=" + repeated("[", 60000)}, ErrorCode::kConfig, {"eos_token_id"});
  refused({"explain", "--" + repeated("x", 60000)}, ErrorCode::kUsage, {"no flag"});
}

TEST_F(Hostile, IndexListsAreBounded) {
  const Words run = {"run", "--task", "niah_single_1", "--len", "1k", "--out", folder_.file("r"), "--sample"};
  refused(joined(run, {"9223372036854775807-9223372036854775808"}), ErrorCode::kUsage, {"--sample"});
  refused(joined(run, {repeated("0-999999,", 20) + "1"}), ErrorCode::kUsage, {"at most 1000000"});
  fs::create_directory(folder_.file("s"));
  write("s/samples.jsonl", R"({"id":"ruler/niah_single_1@1024#0!42","pred":"x"})");
  write("s/run.json", R"({"plan":{"cells":{"niah_single_1@1024":"0-9223372036854775807"}}})");
  refused({"score", folder_.file("s/samples.jsonl")}, ErrorCode::kFormat, {"run.json is damaged"});
}

// A number is decimal: no other base, no blanks, no infinity.
TEST_F(Hostile, NumbersOfFlagsAreDecimal) {
  const auto refused_run = [&](const Words& more, ErrorCode code, const std::vector<std::string>& parts) {
    refused(joined({"run", "--task", "niah_single_1", "--len", "4k", "--out", folder_.file("never")}, more), code, parts);
  };
  for (const char* score : {"nan", "0x10", "inf", " 5", "5 ", "1e400"})
    refused_run({"--min-score", score}, ErrorCode::kUsage, {"--min-score", score});
  for (const char* number : {"0x10", "010", "+3", " 3", "3.0", "1e2"})
    for (const char* flag : {"--samples", "--seed", "--threads", "--chunk"})
      refused_run({flag, number}, ErrorCode::kUsage, {flag, number});
  for (const char* size : {"0x10g", "0x10", " 1g", "nan", "inf"}) refused_run({"--mem", size}, ErrorCode::kUsage, {size});
  for (const char* factor : {"0x2", "nan", "inf", "2 "}) refused_run({"--yarn", factor}, ErrorCode::kUsage, {"--yarn"});
  for (const char* value : {"0x10", "010"}) refused_run({"--topk", value}, ErrorCode::kConfig, {"topk", value});
  for (const char* list : {"0x1", "0-0x3"}) refused_run({"--sample", list}, ErrorCode::kUsage, {list});
  for (const char* length : {"0x1000", "0x4k"}) refused_run({"--len", length}, ErrorCode::kUsage, {length});
  for (const char* weight : {"0x1", "nan", "", "1 "})
    refused({"generate", "--tokens", "--task", "vt", "--len", "512", "--out", folder_.file("never"), "--weights",
             std::string("vt=") + weight},
            ErrorCode::kUsage, {"--weights"});
  EXPECT_FALSE(fs::exists(folder_.file("never")));
}

TEST_F(Hostile, OnlyRegularFilesAreRead) {
  ASSERT_EQ(mkfifo(folder_.file("pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder_.file("pipe"), std::string("/dev/zero")}) {
    refused({"score", path}, ErrorCode::kIo, {"no regular file"});
    refused({"run", "--config", path}, ErrorCode::kIo, {"no regular file"});
    refused({"generate", "--task", "vt", "--len", "2k", "--tokenizer", path}, ErrorCode::kIo, {"no regular file"});
    refused({"logits", "--out", folder_.file("o"), "--ids", path}, ErrorCode::kIo, {"no regular file"});
  }
}

TEST_F(Hostile, NothingIsWrittenThroughALinkOrOverADevice) {
  const std::string link = folder_.file("link"), ids = write("ids", "1 2 3"), precious = write("precious", "precious");
  fs::create_symlink(precious, link);
  for (const std::string& path : {link, std::string("/dev/null"), folder_.path()}) {
    refused({"generate", "--task", "vt", "--len", "1k", "--samples", "1", "--out", path}, ErrorCode::kIo,
            {"no regular file"});
    refused({"logits", "--ids", ids, "--out", path}, ErrorCode::kIo, {"no regular file"});
  }
  for (const char* end : {".tmp", ".part"}) {
    const std::string out = folder_.file("o");
    fs::create_symlink(precious, out + end);
    EXPECT_EQ(program_.run({"logits", "--ids", ids, "--out", out}).code, 0);
    EXPECT_EQ(program_.run({"generate", "--task", "vt", "--len", "1k", "--samples", "1", "--out", out}).code, 0);
  }
  EXPECT_EQ(read_bytes(precious), "precious");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(Hostile, FilesThatMultiplyAreBounded) {
  const std::string many = repeated("{1}", 10000),
                    needle = R"([{"id":"0401","needle":"{CHAR} )" + many +
                             R"(","questions":{"onehop":"Who?"},"character_set":["Ann"],"tests":{"T":{"input_args":[")" +
                             repeated("x", 20000) + "\"]}}}]";
  refused({"generate", "--task", "nolima", "--len", "2k", "--needles", write("n.json", needle)}, ErrorCode::kFormat,
          {"0401", "more than 65536 bytes"});
  std::string article = R"({"data":[{"title":"t","paragraphs":[)";
  for (int i = 0; i < 10000; ++i)
    article += std::string(i == 0 ? "" : ",") + R"({"context":"c)" + std::to_string(i) +
               R"(","qas":[{"question":"q","is_impossible":false,"answers":[{"text":"c"}]}]})";
  refused({"generate", "--task", "qa_1", "--len", "2k", "--squad", write("s.json", article + "]}]}")}, ErrorCode::kFormat,
          {"s.json", "cannot be kept"});
}

TEST_F(Hostile, MessagesAreBoundedAndPlain) {
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "  \"\x1b[2J" + std::to_string(i) + "\",\n";
  const Finished scored = program_.run({"score", write("lines.jsonl", lines)});
  EXPECT_EQ(scored.code, static_cast<int>(ErrorCode::kFormat));
  EXPECT_LE(scored.err.size(), 4100u);
  EXPECT_EQ(scored.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(scored.err.find('\n'), scored.err.size() - 1) << scored.err;
  refused({"generate", "--task", "niah_multikey_1", "--len", "1k", "--words", repeated("a", 300)}, ErrorCode::kIo,
          {"holds none of nounlist.txt"});
}

TEST_F(Hostile, AFolderWhoseNameIsNoUtf8HoldsARun) {
  const Finished result = program_.run({"run", "--task", "niah_single_1", "--len", "1k", "--samples", "1", "--probe", "none",
                                        "--quiet", "--out", folder_.file("bad\xff")});
  EXPECT_EQ(result.code, 0) << result.err;
}

}  // namespace
}  // namespace sala::eval
