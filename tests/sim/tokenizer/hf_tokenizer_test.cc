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

// The constructions of published tokenizers, and of added tokens with every flag.
class Family : public testing::TestWithParam<const char*> {};

TEST_P(Family, IdsAndTextAgreeWithTheReference) {
  const auto tokenizer = open_tokenizer(data("families/" + std::string(GetParam()) + ".json").string());
  const Json texts = Json::parse(read(data("families/texts.json")));
  const Json expected = Json::parse(read(data("families/expected_" + std::string(GetParam()) + ".json")));
  ASSERT_GT(texts.size(), 100u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i].get<std::string>();
    std::vector<int64_t> offsets;
    const std::vector<int32_t> ids = tokenizer->encode_with_offsets(text, offsets);
    EXPECT_EQ(ids, expected["ids"][i].get<std::vector<int32_t>>()) << text;
    EXPECT_EQ(offsets.size(), ids.size());
    for (const int64_t offset : offsets) EXPECT_LE(offset, static_cast<int64_t>(text.size()));
    EXPECT_EQ(tokenizer->encode(text), ids);
    const Json& decoded = expected["decoded"][i];
    EXPECT_EQ(tokenizer->decode(ids), decoded.is_null() ? text : decoded.get<std::string>());
  }
  for (const Json& row : expected["broken"])
    EXPECT_EQ(tokenizer->decode(row[0].get<std::vector<int32_t>>()), row[1].get<std::string>()) << row[0];
}
INSTANTIATE_TEST_SUITE_P(TokenizerJson, Family,
                         testing::Values("llama3", "qwen3", "minicpm4", "deepseek_v3", "kimi", "gemma3", "gpt_neox",
                                         "mistral", "mistral_tekken", "llama2_normalized", "metaspace_split", "flags"),
                         [](const auto& made) { return std::string(made.param); });

TEST(HfTokenizer, PrefixIsThePostProcessors) {
  const auto prefix = [](const char* name) { return open_tokenizer(data(name).string())->prefix(); };
  EXPECT_EQ(prefix("families/llama3.json"), (std::vector<int32_t>{560}));
  EXPECT_EQ(prefix("families/minicpm4.json"), (std::vector<int32_t>{1}));
  EXPECT_EQ(prefix("families/qwen3.json"), std::vector<int32_t>{});
}

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
  expect_refused([](Json& j) { j["added_tokens"][0]["id"] = 704; }, kUnsupported, "gives it 700");
  expect_refused([](Json& j) { j["added_tokens"][0]["content"] = "!"; }, kUnsupported, "'!' with id 700");
  expect_refused([](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; }, kUnsupported, "Isolated");
  expect_refused(
      [](Json& j) {
        j["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {{"String", " "}};
      },
      kUnsupported, "at a text");
  expect_refused([](Json& j) { j["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = true; }, kUnsupported,
                 "before each");
  expect_refused([](Json& j) { std::swap(j["pre_tokenizer"]["pretokenizers"][0], j["pre_tokenizer"]["pretokenizers"][1]); },
                 kUnsupported, "after ByteLevel");
}

TEST(HfTokenizer, DecodersThatAreNotServedAreRefusedWhereTheyAreNeeded) {
  Json root = Json::parse(read(data("byte_level.json")));
  for (const Json& decoder : {Json(nullptr), Json{{"type", "WordPiece"}}, Json{{"type", "Fuse"}}}) {
    root["decoder"] = decoder;
    EXPECT_FALSE(tokenizer::HfConfig::parse(root.dump(), "x.json").decoder_problem.empty()) << decoder;
  }
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
  expect_refused([](Json& j) { j["model"]["merges"] = Json::array({"a b c"}); }, kFormat, "two parts");
  expect_refused([](Json& j) { j["model"]["merges"].push_back(j["model"]["merges"][0]); }, kFormat, "stands twice");
  expect_refused([](Json& j) { j["model"]["vocab"]["!"] = 7; }, kFormat, "id 7 is that of");
  expect_refused([](Json& j) { j["model"]["vocab"]["!"] = 100000; }, kFormat, "out of range");
  expect_refused([](Json& j) { j["added_tokens"][0]["content"] = ""; }, kFormat, "empty");
  expect_refused([](Json& j) { j["added_tokens"][1]["content"] = "<|endoftext|>"; }, kFormat, "stands twice");
  expect_refused(
      [](Json& j) {
        j["decoder"] = {{"type", "Strip"}, {"content", " "}, {"start", "1"}, {"stop", 0}};
      },
      kFormat, "start");
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

TEST(SplitPattern, CutsTextsAsOnigurumaDoes) {
  const Json expected = Json::parse(read(data("patterns.json")));
  for (const Json& row : expected["patterns"]) {
    const tokenizer::SplitPattern pattern(row[0].get<std::string>());
    for (size_t i = 0; i < expected["texts"].size(); ++i) {
      const auto text = expected["texts"][i].get<std::string>();
      std::vector<size_t> sizes;
      pattern.isolate(text, [&](size_t begin, size_t end) { sizes.push_back(end - begin); });
      EXPECT_TRUE(sizes == row[1][i].get<std::vector<size_t>>()) << row[0] << " on text " << i;
    }
  }
}

TEST(SplitPattern, RefusesWhatItWouldReadDifferently) {
  for (const char* pattern : {"(unclosed",
                              "unopened)",
                              "[a",
                              "[]a]",
                              "[[:alpha:]]",
                              "[\\w-z]",
                              "[a-\\d]",
                              "[a-z-9]",
                              "[z-a]",
                              "[a&&]",
                              "[&&a]",
                              "(?s).",
                              "(?x)a",
                              "(?<n>a)",
                              "(?~a)",
                              "(?#c)a",
                              "^a",
                              "a$",
                              "a\\Z",
                              "\\Ga",
                              "\\Ka",
                              "\\R",
                              "\\X",
                              "\\O",
                              "\\N",
                              "\\Qa\\E",
                              "\\pL",
                              "\\p{Alpha}",
                              "\\p{Alphabetic}",
                              "\\p{Nonsense}",
                              "\\p{Script=Han}",
                              "\\1",
                              "\\xe9",
                              "\\uD800",
                              "\\x{110000}",
                              "a**",
                              "a{2}?",
                              "a{3,1}",
                              "a{1,3}++",
                              "a{1001}",
                              "(?=a)*",
                              "*a",
                              "a*",
                              "x|",
                              "(?i:ss)",
                              "(?i:\u00e9)",
                              "(?i:\\p{Lu})",
                              "b(?i)a|c",
                              "\\",
                              "\\p{L",
                              "\\cA",
                              "\\y"}) {
    try {
      const tokenizer::SplitPattern made{pattern};
      ADD_FAILURE() << pattern;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::kUnsupported || error.code() == ErrorCode::kFormat) << error.what();
    }
  }
  for (const char deep : {'(', '['}) EXPECT_THROW(tokenizer::SplitPattern(std::string(100000, deep)), Error);
  EXPECT_THROW(tokenizer::SplitPattern(std::string(60, '(') + std::string(60, ')')), Error);
}

}  // namespace
}  // namespace sala
