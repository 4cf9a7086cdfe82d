#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/core/rng.h"
#include "sala/core/sha256.h"
#include "tasks/nolima/checks.h"
#include "tasks/nolima/names.h"
#include "tasks/nolima/narrative.h"
#include "tasks/text/values.h"
#include "tests/sim/expect_error.h"
#include "tests/tasks/nolima/own_task.h"

namespace sala::tasks {
namespace {

const Tokenizer& family_tokenizer() {
  static const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  return *tokenizer;
}

SampleRequest make_request(int64_t length, int64_t index, Split split = Split::kEval, Mode mode = Mode::kFixed) {
  SampleRequest request;
  request.length = length;
  request.index = index;
  request.split = split;
  request.mode = mode;
  return request;
}

int64_t occurrences(const std::string& text, const std::string& part) {
  int64_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

void expect_sound(const SampleRequest& request, const Tokenizer& tokenizer) {
  const NolimaTask& task = nolima_task();
  const Sample sample = task.make_sample(request, tokenizer);
  SCOPED_TRACE(sample.id);
  EXPECT_EQ(sample.prompt_ids, tokenizer.encode(sample.prompt()));
  const int64_t used = static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate;
  EXPECT_LE(used, request.length);
  EXPECT_GE(static_cast<double>(used), 0.995 * static_cast<double>(request.length));
  ASSERT_EQ(sample.outputs.size(), 1u);
  EXPECT_EQ(split_of(sample.outputs[0]), request.split);
  EXPECT_EQ(occurrences(sample.prompt(), sample.outputs[0]), 1);
  EXPECT_EQ(task.score(sample, "I think it was " + sample.outputs[0] + ".").value, 1);
  EXPECT_EQ(task.score(sample, "").value, 0);

  const NeedlePair& pair = task.pair_of(request);
  const std::string needle = replace_placeholder(pair.needle, "{CHAR}", sample.outputs[0]);
  EXPECT_EQ(occurrences(sample.prompt(), needle), 1);
  EXPECT_EQ(occurrences(sample.prompt(), pair.needle_word), 1);
  EXPECT_EQ(occurrences(sample.prompt(), "\n\nQuestion: " + pair.question + "\n\n Return only the final answer"), 1);
  ASSERT_EQ(sample.evidence.size(), 1u);
  const Evidence& evidence = sample.evidence[0];
  EXPECT_EQ(evidence.key, pair.id);
  if (tokenizer.kind() == "whitespace") return;  // cannot decode
  const std::string read =
      tokenizer.decode({sample.prompt_ids.begin() + evidence.token_begin, sample.prompt_ids.begin() + evidence.token_end});
  EXPECT_NE(read.find(needle), std::string::npos) << read;
  EXPECT_LE(read.size(), needle.size() + 8) << read;
  // The depth asked for, within what stands around the window.
  const double depth = nolima_depth(
      static_cast<int>(nolima_cell(request.index, task.pairs(request.split), narrative_books(request.split)).depth));
  EXPECT_NEAR(static_cast<double>(evidence.token_begin), depth * static_cast<double>(sample.prompt_ids.size()),
              tokenizer.kind() == "byte" ? 700 : 170);
}

TEST(NolimaTask, TemplateIsExact) {
  EXPECT_TRUE(kNolimaTemplate.starts_with(
      "You will answer a question based on the following book snippet:\n\n{haystack}\n\nUse the information"));
  EXPECT_TRUE(kNolimaTemplate.ends_with(
      "Question: {question}\n\n Return only the final answer with no additional explanation or reasoning."));
}

TEST(NolimaTask, SamplesAt4kAreSound) {
  for (int64_t index = 0; index < 180; ++index) expect_sound(make_request(4096, index), family_tokenizer());
}

TEST(NolimaTask, SamplesAtTheBaseLengthsAreSound) {
  for (const int64_t length : kFixedBaseLengths)
    for (int64_t index = 0; index < 60; ++index) expect_sound(make_request(length, 7 * index), family_tokenizer());
}

TEST(NolimaTask, SamplesAt32kAreSound) {
  for (int64_t index = 0; index < 20; ++index) expect_sound(make_request(32768, 1000 + 17 * index), family_tokenizer());
}

TEST(NolimaTask, TrainingSamplesAreSound) {
  for (int64_t index = 0; index < 60; ++index)
    expect_sound(make_request(1024, 31 * index, Split::kTrain), family_tokenizer());
}

int64_t words_equal(const std::string& text, const std::string& word) {
  HaystackWords words;
  words.add(text);
  return words.words.contains(word) ? occurrences(text, word) : 0;
}

// Whoever the needle is about is nobody else of the prompt, however long it is and whatever mode it is made in; there are
// others beside.
TEST(NolimaTask, ThePersonOfTheNeedleIsNoBystander) {
  const auto check = [](const SampleRequest& request) {
    const Sample sample = nolima_task().make_sample(request, family_tokenizer());
    EXPECT_EQ(words_equal(sample.prompt(), sample.outputs[0]), 1) << sample.id;
    const std::set<std::string_view> people = own_books(request.split).people();
    HaystackWords words;
    words.add(sample.prompt());
    const auto others = std::count_if(words.words.begin(), words.words.end(), [&](const std::string& word) {
      return word != sample.outputs[0] && people.contains(word);
    });
    EXPECT_GE(others, 2) << sample.id;
  };
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (int64_t index = 0; index < 400; ++index) check(make_request(2048, 37 * index, split));
    for (int64_t index = 0; index < 40; ++index) check(make_request(2048, 37 * index, split, Mode::kUpstream));
    for (int64_t index = 0; index < 4; ++index) check(make_request(131072, 37 * index, split));
  }
  check(make_request(600000, 1, Split::kTrain));  // of nearly 800 names all but those the book lacks have been used
}

// Names of the pool are those of needles alone: no bystander of evaluation has one (spec 2.8).
TEST(NolimaTask, EvaluationBooksHaveNoNameOfThePool) {
  HaystackWords words;
  for (int book = 0; book < kNarrativeBooks; ++book) words.add(narrative_book(Split::kEval, book, 1000000));
  for (Split split : {Split::kEval, Split::kTrain})
    for (const std::string& name : needle_names(split)) EXPECT_FALSE(words.words.contains(name)) << name;
}

// What a member could do without knowing anything: copy the first word with a capital inside a sentence, keywords passed
// over. In prose without names this was right in all samples.
TEST(NolimaTask, ThePersonIsNotFoundByForm) {
  constexpr int64_t kSamples = 880;
  int64_t right = 0;
  for (int64_t index = 0; index < kSamples; ++index) {
    const SampleRequest request = make_request(2048, index);
    const Sample sample = nolima_task().make_sample(request, family_tokenizer());
    HaystackWords keywords;
    keywords.add(nolima_task().pair_of(request).needle);
    const std::string text = sample.prompt().substr(kNolimaTemplate.find("{haystack}"));
    for (size_t at = 2; at < text.size(); ++at) {
      const bool inside = text[at - 1] == ' ' && text[at - 2] >= ' ' &&
                          std::string_view(".?\" ").find(text[at - 2]) == std::string_view::npos;
      if (!inside || text[at] < 'A' || text[at] > 'Z') continue;
      const std::string word = text.substr(at, text.find_first_of(" ,.?!:;\"\n", at) - at);
      if (word == "I" || keywords.words.contains(word)) continue;
      right += word == sample.outputs[0];
      break;
    }
  }
  EXPECT_LT(right, kSamples / 10);
}

// Nor by counting: the needle's person stands once, and so do most bystanders.
TEST(NolimaTask, ThePersonIsNotFoundByCounting) {
  constexpr int64_t kSamples = 200;
  std::set<std::string_view> people = own_books(Split::kEval).people();
  double right = 0;
  for (int64_t index = 0; index < kSamples; ++index) {
    const Sample sample = nolima_task().make_sample(make_request(2048, index), family_tokenizer());
    std::map<std::string, int64_t> times;
    std::string word;
    for (const char c : sample.prompt()) {
      if (std::isalpha(static_cast<unsigned char>(c))) {
        word.push_back(c);
      } else if (!word.empty()) {
        if (people.contains(word) || word == sample.outputs[0]) ++times[word];
        word.clear();
      }
    }
    ASSERT_EQ(times[sample.outputs[0]], 1);
    right +=
        1.0 / static_cast<double>(std::count_if(times.begin(), times.end(), [](const auto& t) { return t.second == 1; }));
  }
  EXPECT_LT(right, kSamples / 6);
}

TEST(NolimaTask, OtherTokenizersFitToo) {
  const auto bytes = open_tokenizer("byte"), words = open_tokenizer("whitespace");
  for (int64_t index = 0; index < 20; ++index) {
    expect_sound(make_request(8192, index), *bytes);
    expect_sound(make_request(8192, index), *words);
  }
}

TEST(NolimaTask, TheFirstSamplesAreSpread) {
  std::set<int64_t> pairs, books, depths;
  for (int64_t index = 0; index < 26; ++index) {
    const NolimaCell cell = nolima_cell(index, nolima_task().pairs(Split::kEval), 5);
    pairs.insert(cell.pair);
    books.insert(cell.book);
    depths.insert(cell.depth);
  }
  EXPECT_EQ(pairs.size(), 26u);
  EXPECT_EQ(books.size(), 5u);
  EXPECT_GE(depths.size(), 13u);
}

TEST(NolimaTask, ALengthTooSmallSaysWhatWouldDo) {
  for (int64_t index = 0; index < 20; ++index) {
    try {
      nolima_task().make_sample(make_request(200, index), family_tokenizer());
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      const std::string message = error.what();
      const int64_t least = std::stoll(message.substr(message.find("at least ") + 9));
      const Sample sample = nolima_task().make_sample(make_request(least, index), family_tokenizer());
      EXPECT_LE(static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate, least);
    }
  }
}

TEST(NolimaTask, SamplesAreFunctionsOfTheirRequest) {
  std::vector<std::string> serial(6), parallel(6);
  for (int64_t i = 5; i >= 0; --i)
    serial[static_cast<size_t>(i)] = nolima_task().make_sample(make_request(4096, i), family_tokenizer()).input;
  set_num_threads(3);
  parallel_for(6, [&](int64_t i, int) {
    parallel[static_cast<size_t>(i)] = nolima_task().make_sample(make_request(4096, i), family_tokenizer()).input;
  });
  set_num_threads(0);
  EXPECT_EQ(serial, parallel);
  const Sample sample = nolima_task().make_sample(make_request(4096, 3), family_tokenizer());
  EXPECT_EQ(regenerate(sample.id, family_tokenizer()).input, sample.input);
}

// Hidden names by depth for template 9001 and book 0: numpy.random.seed(42 + 9001); numpy.random.choice(character_set) once
// a depth.
TEST(NolimaTask, UpstreamNamesComeFromNumpysStream) {
  const NeedleSet& set = own_needle_set(Split::kEval);
  ASSERT_EQ(set[0].character_set.size(), 15u);
  const int64_t expected[kNolimaDepths] = {11, 8, 12, 11, 9, 13, 6,  7, 12, 10, 10, 0, 4,
                                           12, 5, 14, 10, 7, 11, 10, 3, 4,  4,  1,  6, 12};
  std::map<int64_t, std::string> seen;
  const int64_t pairs = nolima_task().pairs(Split::kEval);
  for (int64_t index = 0; index < pairs * 5 * kNolimaDepths && seen.size() < 26; ++index) {
    const NolimaCell cell = nolima_cell(index, pairs, 5);
    if (cell.pair != 0 || cell.book != 0) continue;
    seen[cell.depth] =
        nolima_task().make_sample(make_request(250, index, Split::kEval, Mode::kUpstream), family_tokenizer()).outputs[0];
  }
  ASSERT_EQ(seen.size(), 26u);
  for (const auto& [depth, name] : seen)
    EXPECT_EQ(name, set[0].character_set[static_cast<size_t>(expected[depth])]) << depth;
}

TEST(NolimaTask, UpstreamLengthIsTheBookWindowAlone) {
  const auto bytes = open_tokenizer("byte");
  for (int64_t index : {0, 1, 7, 100}) {
    const SampleRequest request = make_request(1000, index, Split::kEval, Mode::kUpstream);
    const Sample sample = nolima_task().make_sample(request, *bytes);
    const NeedlePair& pair = nolima_task().pair_of(request);
    const std::string needle = replace_placeholder(pair.needle, "{CHAR}", sample.outputs[0]);
    const auto frame = static_cast<int64_t>(kNolimaTemplate.size() - 20 + needle.size() + 2 + pair.question.size());
    // A newline goes at the needle; depth 0 loses a token, at depth 1 the newline lies behind the window.
    EXPECT_NEAR(static_cast<double>(sample.prompt_ids.size()), static_cast<double>(frame + 1000), 1);
  }
}

TEST(NolimaTask, UsersNeedlesAndBooksMakeATask) {
  const NeedleSet set =
      parse_needle_set(R"([{"id": "0001", "needle": "It is said that {CHAR} owns the {1}.", "character_set": ["Ann", "Bob"],
      "questions": {"onehop": "Who is near {2}?", "direct": "Who owns the {1}?"}, "distractors": {"onehop": "No one mentioned {2}."},
      "task_template": "READ {haystack} ASK {question}", "tests": {"T1": {"input_args": ["mill", "river"]}}}])",
                       "set.json");
  NolimaOptions options;
  options.tokens_to_generate = 16;
  options.metric = NolimaMetric::kExact;
  const auto task = make_nolima_task("nolima_user", set, nullptr, options);
  EXPECT_EQ(task->pairs(Split::kEval), 1);  // `direct` is left out
  const Sample sample = task->make_sample(make_request(3000, 12), family_tokenizer());
  EXPECT_TRUE(sample.input.starts_with("READ "));
  EXPECT_TRUE(sample.input.ends_with(" ASK Who is near river?"));
  EXPECT_EQ(occurrences(sample.input, " No one mentioned river."), 1);
  EXPECT_EQ(occurrences(sample.input, "It is said that " + sample.outputs[0] + " owns the mill."), 1);
  EXPECT_EQ(sample.tokens_to_generate, 16);
  EXPECT_EQ(task->score(sample, sample.outputs[0] + "!").value, 0);
  EXPECT_EQ(task->score(sample, sample.outputs[0] + "\n").value, 1);
}

// NumPy's stream takes 32 bits: a larger seed is refused, not cut to another sample's.
TEST(NolimaTask, UpstreamSeedsHave32Bits) {
  SampleRequest request = make_request(500, 0, Split::kEval, Mode::kUpstream);
  request.seed += uint64_t{1} << 32;
  expect_error(ErrorCode::kUsage, {std::to_string(request.seed), "is too large"},
               [&] { nolima_task().make_sample(request, family_tokenizer()); });
}

class OneBook final : public BookShelf {
 public:
  explicit OneBook(std::string text) : text_(std::move(text)) {}
  int64_t count() const override { return 1; }
  const std::string& name(int64_t) const override { return name_; }
  std::string text(int64_t) const override { return text_; }
  std::shared_ptr<const BookTokens> tokens(int64_t, int64_t, const Tokenizer& tokenizer, Mode mode) const override {
    return std::make_shared<const BookTokens>(tokenize_book(text_, tokenizer, mode));
  }

 private:
  std::string text_, name_ = "one.txt";
};

// Hashes of what the published book_haystack.py makes of the same stream of NumPy (tests/tools/upstream_hashes.py).
TEST(NolimaTask, DistractorsOfUpstreamModeAreUpstreams) {
  std::string text;
  for (int64_t day = 0; day < 200; ++day)
    text += fmt::format("On day {} they went down to the river and stayed there for {} hours, as one does.\n", day,
                        day * day % 97);
  const OneBook book(text);
  const NeedleSet set = load_needle_set(SALA_SOURCE_DIR "/tests/data/nolima/distractor.json");
  const auto task = make_nolima_task("nolima_user", set, &book);
  const auto bytes = open_tokenizer("byte");
  const auto hashes = nlohmann::json::parse(std::ifstream(SALA_SOURCE_DIR "/tests/data/upstream_hashes.json"));
  EXPECT_EQ(hashes["nolima"].size(), 2u);
  for (const auto& [cell, wanted] : hashes["nolima"].items()) {
    std::vector<std::string> haystacks(26);
    for (int64_t index = 0; index < 26; ++index) {
      const SampleRequest request =
          make_request(std::stoll(cell.substr(cell.find('@') + 1)), index, Split::kEval, Mode::kUpstream);
      const auto depth = static_cast<size_t>(nolima_cell(index, 1, 1).depth);
      try {
        const std::string input = task->make_sample(request, *bytes).input;
        const size_t begin = kNolimaTemplate.find("{haystack}"), behind = input.find("\n\nUse the information");
        haystacks[depth] = input.substr(begin, behind - begin);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("upstream stops"), std::string::npos) << error.what();
        haystacks[depth] = "stops";
      }
    }
    std::string all = haystacks[0];
    for (size_t depth = 1; depth < 26; ++depth) all += '\0' + haystacks[depth];
    EXPECT_EQ(sha256_hex(all), wanted.get<std::string>()) << cell;
  }
}

TEST(NolimaTask, ANameOfTheBookIsNeverHiddenInIt) {
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += "Bob went down to the river and Anna stayed where she was for the whole of the day.\n";
  const OneBook book(text);
  NeedleSet set =
      parse_needle_set(R"([{"id": "0001", "needle": "It is said that {CHAR} owns the {1}.", "character_set": ["Ann", "Bob"],
      "questions": {"onehop": "Who is near {2}?"}, "tests": {"T1": {"input_args": ["mill", "sea"]}}}])",
                       "set.json");
  const auto task = make_nolima_task("nolima_user", set, &book);
  for (int64_t index = 0; index < 26; ++index)
    EXPECT_EQ(task->make_sample(make_request(1024, index), family_tokenizer()).outputs[0], "Ann");  // Anna is another word
  set[0].character_set = {"Bob"};
  EXPECT_THROW(task->make_sample(make_request(1024, 0), family_tokenizer()), Error);
  EXPECT_THROW(task->make_sample(make_request(131072, 0), family_tokenizer()), Error);  // the book is too short
}

// A user's needles in our books: a name that a bystander of the window's book has is passed over.
TEST(NolimaTask, AUsersNameThatABystanderHasIsNotHidden) {
  NeedleSet set = own_needle_set(Split::kEval);
  std::vector<std::string> names;
  for (std::string_view name : own_books(Split::kEval).people()) names.emplace_back(name);
  for (NeedleTemplate& from : set) from.character_set = names;
  const auto task = make_nolima_task("nolima_user", set, nullptr);
  EXPECT_THROW(task->make_sample(make_request(65536, 0), family_tokenizer()), Error);  // all of them are in the book
  names.push_back("Odette");
  for (NeedleTemplate& from : set) from.character_set = names;
  for (int64_t index = 0; index < 10; ++index)
    EXPECT_EQ(task->make_sample(make_request(65536, index), family_tokenizer()).outputs[0], "Odette");
  HaystackWords haystack;
  haystack.add(own_books(Split::kEval).text(0));
  const std::vector<std::string> problems = check_needle_set(set, haystack);  // what the user is told
  EXPECT_EQ(problems.size(), set.size() * (names.size() - 1)) << (problems.empty() ? "" : problems[0]);
}

TEST(NolimaTask, DiagnosticsSplitTheScore) {
  const Sample sample = nolima_task().make_sample(make_request(1024, 1), family_tokenizer());
  const NeedlePair& pair = nolima_task().pair_of(sample.request);
  std::map<std::string, double> figures;
  const std::string bystander(bystander_names(Split::kEval, 0, true)[0]);
  for (const auto& [name, value] : nolima_task().score(sample, bystander + " or " + sample.outputs[0]).diagnostics)
    figures[name] = value;
  EXPECT_EQ(figures["EM"], 0);
  EXPECT_EQ(figures["contains"], 1);
  EXPECT_EQ(figures["lastline_contains"], 1);
  EXPECT_EQ(figures["many_names"], 1);
  EXPECT_EQ(figures.at(pair.question_name), 1);
  EXPECT_EQ(figures.count("default_order") + figures.count("inverted_order"), 1u);
}

TEST(NolimaTask, RecordHasTheFieldsOfTheSpec) {
  const Sample sample = nolima_task().make_sample(make_request(2048, 5), family_tokenizer());
  const Record record = nolima_task().record(sample, family_tokenizer());
  const std::vector<std::string> fields = {"pair",   "template_id",    "test_id", "question_type",  "order",
                                           "book",   "context_length", "depth",   "token_depth",    "character",
                                           "prompt", "gold",           "metric",  "haystack_sha256"};
  for (size_t i = 0; i < fields.size(); ++i) EXPECT_EQ(record[i].first, fields[i]);
  EXPECT_EQ(std::get<std::string>(record[9].second), sample.outputs[0]);
  EXPECT_EQ(std::get<std::string>(record[12].second), "contains");
  EXPECT_EQ(std::get<std::string>(record[13].second).size(), 64u);
}

// Index 3 of seed 42 by the family's tokenizer (tests/data/tasks/README.md).
TEST(NolimaTask, GoldenPrompts) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/tasks/nolima_golden.txt");
  std::string name, hash, output;
  int64_t length = 0, compared = 0;
  for (; file >> name >> length >> hash >> output; ++compared) {
    const Sample sample = nolima_task().make_sample(make_request(length, 3), family_tokenizer());
    EXPECT_EQ(fmt::format("{:016x}", stable_hash(sample.prompt())), hash) << length;
    EXPECT_EQ(sample.outputs, std::vector<std::string>{output}) << length;
  }
  EXPECT_EQ(compared, 2);
}

// tests/data/nolima/nolima_words_700.txt: prompt and answer of `nolima` at 700 whitespace tokens, index 3, seed 42, as the
// generator of samples version 5 first wrote it.
TEST(NolimaTask, GoldenSample_seed42_700words) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/nolima/nolima_words_700.txt", std::ios::binary);
  ASSERT_TRUE(file.good());
  std::stringstream golden;
  golden << file.rdbuf();
  const auto words = open_tokenizer("whitespace");
  const Sample sample = nolima_task().make_sample(make_request(700, 3), *words);
  EXPECT_EQ(sample.prompt() + "\n" + sample.outputs[0] + "\n", golden.str());
}

}  // namespace
}  // namespace sala::tasks
