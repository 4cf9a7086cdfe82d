// `upstream` mode byte for byte against an independent Python version of the specification
// (tests/tools/ruler_upstream_reference.py).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sala/core/error.h"
#include "sala/core/sha256.h"
#include "sala/tasks/corpora.h"
#include "sala/tasks/task.h"

namespace sala::tasks {
namespace {

const std::string kData = SALA_SOURCE_DIR "/tests/data/ruler/";

std::vector<nlohmann::json> read_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(file, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

// A line of text around the first byte that differs.
std::string difference(const std::string& made, const std::string& wanted) {
  size_t at = 0;
  while (at < made.size() && at < wanted.size() && made[at] == wanted[at]) ++at;
  const size_t begin = at < 60 ? 0 : at - 60;
  return fmt::format("first difference at byte {} of {} and {}\n made: {}\nwanted: {}", at, made.size(), wanted.size(),
                     made.substr(begin, 120), wanted.substr(begin, 120));
}

void compare(const std::string& file, const std::string& task, int64_t length, const Corpora* corpora) {
  SCOPED_TRACE(file);
  const auto rows = read_lines(kData + "upstream/" + file);
  ASSERT_FALSE(rows.empty());
  const auto tokenizer = open_tokenizer("whitespace");
  const Task& made_by = *resolve_tasks(task).at(0);
  SampleRequest request;
  request.length = length;
  request.mode = Mode::kUpstream;
  request.corpora = corpora;
  const auto stream = made_by.open_stream(request, *tokenizer);
  for (const auto& row : rows) {
    const Sample sample = stream->next();
    EXPECT_EQ(sample.request.index, row["index"].get<int64_t>());
    EXPECT_EQ(sample.outputs, row["outputs"].get<std::vector<std::string>>());
    EXPECT_EQ(sample.answer_prefix, row["answer_prefix"].get<std::string>());
    EXPECT_EQ(static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate, row["length"].get<int64_t>());
    const auto wanted = row["input"].get<std::string>();
    EXPECT_TRUE(sample.input == wanted) << difference(sample.input, wanted);
  }
  // The last one alone: search and earlier samples are replayed.
  request.index = static_cast<int64_t>(rows.size()) - 1;
  EXPECT_TRUE(made_by.make_sample(request, *tokenizer).input == rows.back()["input"].get<std::string>());
}

TEST(RulerUpstream, NiahInNoiseAndNeedlesMatchesTheReference) {
  for (const char* task : {"niah_single_1", "niah_multikey_2", "niah_multikey_3"})
    for (const int64_t length : {1024, 4096}) compare(fmt::format("{}_{}.jsonl", task, length), task, length, nullptr);
}

TEST(RulerUpstream, NiahInTheUsersEssayMatchesTheReference) {
  CorporaPaths paths;
  paths.essay = kData + "essay.txt";
  const auto corpora = load_corpora(paths);
  for (const char* task : {"niah_single_2", "niah_single_3", "niah_multikey_1", "niah_multivalue", "niah_multiquery"})
    for (const int64_t length : {1024, 4096}) compare(fmt::format("{}_{}.jsonl", task, length), task, length, corpora.get());
}

TEST(RulerUpstream, VtCweAndFweMatchTheReference) {
  for (const char* task : {"vt", "cwe", "fwe"})
    for (const int64_t length : {1024, 4096}) compare(fmt::format("{}_{}.jsonl", task, length), task, length, nullptr);
}

TEST(RulerUpstream, CweTakesAllWordsFromTheLongListWhenTheShortOnesEnd) {
  const auto lists = nlohmann::json::parse(std::ifstream(kData + "short_lists.json"));
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("sala_cwe_{}", ::getpid());
  std::filesystem::create_directories(folder);
  std::ofstream nouns(folder / "nounlist.txt"), english(folder / "english.json");
  for (const auto& word : lists["lexicon"]) nouns << word.get<std::string>() << "\n";
  nlohmann::ordered_json words;
  for (int i = 0; i < lists["english"].get<int>(); ++i)
    words[std::to_string(i)] = lists["stem"].get<std::string>() + std::to_string(i);
  english << words;
  nouns.close(), english.close();
  CorporaPaths paths;
  paths.nouns = paths.adjectives = paths.verbs = folder / "nounlist.txt";
  paths.english = folder / "english.json";
  compare("cwe_long_list_4096.jsonl", "cwe", 4096, load_corpora(paths).get());
  std::filesystem::remove_all(folder);
}

TEST(RulerUpstream, QaOverTheUsersFilesMatchesTheReference) {
  CorporaPaths paths;
  paths.squad = kData + "squad.json";
  paths.hotpotqa = kData + "hotpotqa.json";
  const auto corpora = load_corpora(paths);
  compare("qa_1_512.jsonl", "qa_1", 512, corpora.get());
  compare("qa_1_1024.jsonl", "qa_1", 1024, corpora.get());
  compare("qa_2_1024.jsonl", "qa_2", 1024, corpora.get());
}

// Hashes of what the published scripts make (tests/tools/upstream_hashes.py), with NLTK's sentences of the essay.
TEST(RulerUpstream, IsWhatThePublishedScriptsMake) {
  CorporaPaths paths;
  paths.essay = kData + "punkt_essay.txt";
  paths.sentences = kData + "punkt_sentences.txt";
  paths.squad = kData + "squad.json";
  paths.hotpotqa = kData + "hotpotqa.json";
  const auto corpora = load_corpora(paths);
  const auto tokenizer = open_tokenizer("whitespace");
  const auto hashes = nlohmann::json::parse(std::ifstream(SALA_SOURCE_DIR "/tests/data/upstream_hashes.json"));
  EXPECT_EQ(hashes["ruler"].size(), 25u);
  for (const auto& [cell, wanted] : hashes["ruler"].items()) {
    const size_t at = cell.find('@');
    SampleRequest request;
    request.length = std::stoll(cell.substr(at + 1));
    request.mode = Mode::kUpstream;
    request.corpora = corpora.get();
    const auto stream = resolve_tasks(cell.substr(0, at)).at(0)->open_stream(request, *tokenizer);
    std::string all;
    for (int i = 0; i < 3; ++i) {
      const Sample sample = stream->next();
      all += (i == 0 ? "" : std::string(1, '\0')) + sample.input + '\0' + sample.answer_prefix;
      for (const std::string& answer : sample.outputs) all += '\0' + answer;
    }
    EXPECT_EQ(sha256_hex(all), wanted.get<std::string>()) << cell;
  }
}

// The rule and NLTK differ on abbreviations and on full stops without a space.
TEST(RulerUpstream, OwnSentencesMoveTheNeedles) {
  CorporaPaths paths;
  paths.essay = kData + "punkt_essay.txt";
  const auto ruled = load_corpora(paths);
  paths.sentences = kData + "punkt_sentences.txt";
  const auto given = load_corpora(paths);
  EXPECT_NE(ruled->essay_sentences, given->essay_sentences);
  EXPECT_EQ(ruled->essay_text, given->essay_text);
  EXPECT_NE(ruled->hash, given->hash);
  SampleRequest request;
  request.length = 4096;
  request.mode = Mode::kUpstream;
  const auto tokenizer = open_tokenizer("whitespace");
  request.corpora = ruled.get();
  const std::string by_rule = resolve_tasks("niah_single_2").at(0)->make_sample(request, *tokenizer).input;
  request.corpora = given.get();
  EXPECT_NE(resolve_tasks("niah_single_2").at(0)->make_sample(request, *tokenizer).input, by_rule);
}

TEST(RulerUpstream, SaysSoWhereUpstreamWouldNeverEnd) {
  const auto tokenizer = open_tokenizer("byte");
  SampleRequest request;
  request.mode = Mode::kUpstream;
  request.length = 2048;  // 500 words of essay are more than 2048 bytes; the example of vt must fit 500 of them
  for (const char* task : {"niah_single_2", "vt"}) {
    try {
      resolve_tasks(task).at(0)->make_sample(request, *tokenizer);
      FAIL() << task;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      EXPECT_NE(std::string(error.what()).find("retries for ever"), std::string::npos) << error.what();
    }
  }
}

TEST(RulerUpstream, RefusesWhatUpstreamDoesNotHave) {
  const auto tokenizer = open_tokenizer("whitespace");
  const Task& task = *resolve_tasks("vt").at(0);
  SampleRequest request;
  request.mode = Mode::kUpstream;
  request.length = 4096;
  SampleRequest train = request, seed = request, tiny = request;
  train.split = Split::kTrain;
  seed.seed = uint64_t{1} << 32;
  tiny.length = 30;
  for (const SampleRequest& refused : {train, seed, tiny}) EXPECT_THROW(task.make_sample(refused, *tokenizer), Error);
  EXPECT_NO_THROW(task.make_sample(request, *tokenizer));
}

TEST(RulerUpstream, EveryTaskHasTheModeInIdsAndSamples) {
  const auto tokenizer = open_tokenizer("whitespace");
  for (const Task* task : resolve_tasks("ruler")) {
    SampleRequest request;
    request.mode = Mode::kUpstream;
    request.length = 4096;
    request.index = 1;
    const Sample sample = task->make_sample(request, *tokenizer);
    EXPECT_EQ(sample.id, fmt::format("ruler/{}@4096#1!42~upstream", task->name()));
    const Sample again = regenerate(sample.id, *tokenizer);
    EXPECT_TRUE(again.input == sample.input) << sample.id;
    EXPECT_LE(static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate, 4096) << task->name();
    EXPECT_FALSE(sample.evidence.empty()) << task->name();
  }
}

}  // namespace
}  // namespace sala::tasks
