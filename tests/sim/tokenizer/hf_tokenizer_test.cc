// tokenizer.json models against the reference implementation's ids, offsets and text (tests/tools/make_tokenizers.py).
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "sala/core/error.h"
#include "sala/tokenizer/tokenizer.h"
#include "sim/tokenizer/hf_config.h"
#include "sim/tokenizer/text_split.h"

namespace sala {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

fs::path data(const std::string& name) { return fs::path(SALA_SOURCE_DIR) / "tests" / "data" / "tokenizers" / name; }
std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Reference : public testing::TestWithParam<const char*> {};

TEST_P(Reference, IdsOffsetsAndTextAgree) {
  const auto tokenizer = open_tokenizer(data(std::string(GetParam()) + ".json").string());
  std::ifstream file(data(std::string("expected_") + GetParam() + ".jsonl"));
  int texts = 0;
  for (std::string line; std::getline(file, line); ++texts) {
    const Json row = Json::parse(line);
    const auto text = row["text"].get<std::string>();
    std::vector<int64_t> offsets;
    const std::vector<int32_t> ids = tokenizer->encode_with_offsets(text, offsets);
    EXPECT_EQ(ids, row["ids"].get<std::vector<int32_t>>()) << text;
    EXPECT_EQ(offsets, row["offsets"].get<std::vector<int64_t>>()) << text;
    EXPECT_EQ(tokenizer->encode(text), ids);
    EXPECT_EQ(tokenizer->count(text), static_cast<int64_t>(ids.size()));
    EXPECT_EQ(tokenizer->decode(ids), row["decoded"].get<std::string>());
  }
  EXPECT_EQ(texts, 188);
}
INSTANTIATE_TEST_SUITE_P(TokenizerJson, Reference, testing::Values("byte_level", "llama"));

TEST(HfTokenizer, DirectoryPrefersTokenizerJson) {
  const fs::path folder = fs::temp_directory_path() / ("sala_hf_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  fs::copy_file(data("llama.json"), folder / "tokenizer.json", fs::copy_options::overwrite_existing);
  EXPECT_EQ(open_tokenizer(folder.string())->kind(), "bpe");
  fs::remove_all(folder);
}

TEST(HfTokenizer, InvalidUtf8StandsForTheReplacementCharacter) {
  for (const char* name : {"byte_level.json", "llama.json"}) {
    const auto tokenizer = open_tokenizer(data(name).string());
    std::vector<int64_t> offsets;
    const std::vector<int32_t> ids = tokenizer->encode_with_offsets("ab\xff\xc3 z", offsets);
    EXPECT_EQ(ids, tokenizer->encode("ab\xEF\xBF\xBD\xEF\xBF\xBD z"));
    EXPECT_EQ(offsets.size(), ids.size());
    EXPECT_LT(offsets.back(), 6);
  }
}

TEST(HfTokenizer, LongTextEqualsItsWordsOneByOne) {
  const auto tokenizer = open_tokenizer(data("llama.json").string());
  std::string text;
  std::vector<int32_t> words;
  for (int i = 0; i < 2000; ++i) {
    const std::string word = "word" + std::to_string(i * 7919 % 1000);
    text += (i ? " " : "") + word;
    const std::vector<int32_t> ids = tokenizer->encode(word);
    words.insert(words.end(), ids.begin(), ids.end());
  }
  EXPECT_EQ(tokenizer->encode(text), words);
}

// Changes one thing of a good file and expects the error's kind and a word of its message.
void expect_refused(const std::function<void(Json&)>& change, ErrorCode code, const std::string& word) {
  Json root = Json::parse(read(data("byte_level.json")));
  change(root);
  try {
    tokenizer::HfConfig::parse(root.dump(), "x.json");
    ADD_FAILURE() << "accepted; expected an error with '" << word << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(HfTokenizer, RefusesWhatItDoesNotServe) {
  using enum ErrorCode;
  expect_refused([](Json& j) { j["model"]["type"] = "Unigram"; }, kUnsupported, "Unigram");
  expect_refused([](Json& j) { j["model"]["dropout"] = 0.1; }, kUnsupported, "dropout");
  expect_refused([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, kUnsupported, "end_of_word_suffix");
  expect_refused([](Json& j) { j["normalizer"] = {{"type", "Lowercase"}}; }, kUnsupported, "Lowercase");
  expect_refused([](Json& j) { j["pre_tokenizer"] = {{"type", "Whitespace"}}; }, kUnsupported, "Whitespace");
  expect_refused([](Json& j) { j["pre_tokenizer"] = nullptr; }, kUnsupported, "neither");
  expect_refused([](Json& j) { j["added_tokens"][0]["lstrip"] = true; }, kUnsupported, "lstrip");
  expect_refused([](Json& j) { j["decoder"] = {{"type", "WordPiece"}}; }, kUnsupported, "WordPiece");
}

TEST(HfTokenizer, RefusesHostileFiles) {
  using enum ErrorCode;
  expect_refused([](Json& j) { j = Json::array(); }, kFormat, "no JSON object");
  expect_refused([](Json& j) { j.erase("model"); }, kFormat, "model");
  expect_refused([](Json& j) { j["model"]["vocab"] = 3; }, kFormat, "vocab");
  expect_refused([](Json& j) { j["model"]["vocab"]["!"] = -1; }, kFormat, "out of range");
  expect_refused([](Json& j) { j["model"]["vocab"]["!"] = int64_t{1} << 40; }, kFormat, "out of range");
  expect_refused([](Json& j) { j["model"]["vocab"]["!"] = "one"; }, kFormat, "no integer");
  expect_refused(
      [](Json& j) {
        j["model"]["merges"] = Json::array({Json::array({"a", "never-a-piece"})});
      },
      kFormat, "never-a-piece");
  expect_refused([](Json& j) { j["model"]["merges"] = Json::array({7}); }, kFormat, "merge");
  expect_refused([](Json& j) { j["model"]["merges"] = Json::array({"alone"}); }, kFormat, "alone");
  expect_refused([](Json& j) { j["added_tokens"][0]["content"] = ""; }, kFormat, "empty");
  const std::string good = read(data("llama.json"));
  for (size_t size = 0; size + 2 < good.size(); size += 211)  // the file ends with } and a newline
    EXPECT_THROW(tokenizer::HfConfig::parse(good.substr(0, size), "x.json"), Error) << size;
}

TEST(SplitPattern, WhiteSpaceIsUnicodes) {
  const tokenizer::SplitPattern pattern("\\s+");
  std::vector<std::string> parts;
  const std::string text = "a\u3000\u0085b\u180Ec";
  pattern.isolate(text, [&](size_t begin, size_t end) { parts.push_back(text.substr(begin, end - begin)); });
  EXPECT_EQ(parts, (std::vector<std::string>{"a", "\u3000\u0085", "b\u180Ec"}));
}

TEST(SplitPattern, RefusesWhatDoesNotCompile) {
  EXPECT_THROW(tokenizer::SplitPattern("(unclosed"), Error);
  EXPECT_THROW(tokenizer::SplitPattern("[a\\S]"), Error);
}

}  // namespace
}  // namespace sala
