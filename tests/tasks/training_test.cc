// Training rows: what they teach, that they never meet the evaluation, and the file that holds them.
#include "sala/tasks/training.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <unordered_set>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "tasks/mrcr/conversation.h"
#include "tasks/nolima/needle_set.h"
#include "tests/tasks/ruler/niah_check.h"

namespace sala::tasks {
namespace {

namespace fs = std::filesystem;

const Tokenizer& family() {
  static const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  return *tokenizer;
}

TrainingRequest request_of(const std::string& tasks, int64_t tokens, int64_t rows, uint64_t seed = 1) {
  TrainingRequest request;
  for (const Task* task : resolve_tasks(tasks)) request.mix.emplace_back(task->name(), 1.0);
  request.row_tokens = tokens;
  request.rows = rows;
  request.seed = seed;
  return request;
}

// A row as text: what is read, what is answered, again and again.
struct Turn {
  std::string context, answer;
};

std::vector<Turn> turns_of(const TrainingRow& row, const TrainingRequest& request) {
  std::vector<Turn> turns;
  std::vector<int32_t> context, answer;
  EXPECT_EQ(row.ids[0], request.bos_id);
  for (size_t i = 1; i < row.ids.size(); ++i) {
    (row.mask[i] ? answer : context).push_back(row.ids[i]);
    if (row.mask[i] == 0 || row.ids[i] != request.eos_id) continue;
    answer.pop_back();
    turns.push_back({family().decode(context), family().decode(answer)});
    context.clear();
    answer.clear();
  }
  EXPECT_TRUE(answer.empty()) << "an answer without its end";
  for (const int32_t id : context) EXPECT_EQ(id, request.eos_id) << "padding";
  return turns;
}

std::vector<std::string> asked_keys(const std::string& context) {
  const size_t what = context.rfind("\nWhat "), from = context.find(" for ", what) + 5,
               to = context.find(" mentioned in the provided text?", from);
  std::vector<std::string> keys;
  std::string query = context.substr(from, to - from);
  for (size_t at = query.find(", "); at != std::string::npos; at = query.find(", ")) {
    keys.push_back(query.substr(0, at));
    query = query.substr(at + 2);
  }
  keys.push_back(query.starts_with("and ") && !keys.empty() ? query.substr(4) : query);
  return keys;
}

class EveryTrainingTask : public testing::TestWithParam<const Task*> {};
INSTANTIATE_TEST_SUITE_P(Tasks, EveryTrainingTask, testing::ValuesIn(resolve_tasks("niah")),
                         [](const auto& test) { return std::string(test.param->name()); });

// Each answer is what the text says, and the question is the evaluation's.
TEST_P(EveryTrainingTask, TeachesTheRightAnswers) {
  const NiahSpec& spec = spec_of(GetParam()->name());
  int64_t questions = 0;
  for (const int64_t tokens : {256, 512, 2048}) {
    TrainingRequest request = request_of(std::string(spec.name), tokens, 60);
    request.length_jitter = tokens == 512;
    for (int64_t index = 0; index < 60; ++index) {
      const TrainingRow row = make_training_row(request, index, family());
      ASSERT_EQ(static_cast<int64_t>(row.ids.size()), tokens);
      ASSERT_EQ(row.mask.size(), row.ids.size());
      const std::vector<Turn> turns = turns_of(row, request);
      ASSERT_FALSE(turns.empty());
      std::map<std::string, std::vector<std::string>> values;
      for (const FoundNeedle& needle : find_needles(turns[0].context)) values[needle.key].push_back(needle.value);
      std::set<std::string> asked;
      for (const Turn& turn : turns) {
        const std::vector<std::string> keys = asked_keys(turn.context);
        std::string want;
        for (const std::string& key : keys) {
          ASSERT_TRUE(values.contains(key)) << key << " is asked and not told";
          ASSERT_TRUE(asked.insert(key).second) << key << " is asked twice: its answer could be copied";
          for (const std::string& value : values[key])
            want += (want.empty() ? "" : ", ") + (spec.queries > 1 ? key + ": " + value : value);
        }
        ASSERT_EQ(turn.answer, want) << turn.context.substr(turn.context.rfind('\n'));
        const NiahText text = niah_text(spec.value_kind, join_keys(keys), spec.queries * spec.values == 1);
        EXPECT_TRUE(turn.context.ends_with(text.question + text.answer_prefix));
        ++questions;
      }
      EXPECT_TRUE(turns[0].context.starts_with(niah_text(spec.value_kind, "", spec.queries * spec.values == 1).header));
    }
  }
  EXPECT_GT(questions, 3 * 60);
}

// What validation reads: the evaluation's number of keys and values, one question, a haystack that fills the row.
TEST_P(EveryTrainingTask, RowsAsEvaluatedAskOnce) {
  const NiahSpec& spec = spec_of(GetParam()->name());
  for (const int64_t tokens : {512, 4096}) {
    TrainingRequest request = request_of(std::string(spec.name), tokens, 20);
    request.as_evaluated = true;
    for (int64_t index = 0; index < 20; ++index) {
      const TrainingRow row = make_training_row(request, index, family());
      const std::vector<Turn> turns = turns_of(row, request);
      ASSERT_EQ(turns.size(), 1u);
      EXPECT_EQ(static_cast<int64_t>(asked_keys(turns[0].context).size()), spec.queries);
      const auto needles = static_cast<int64_t>(find_needles(turns[0].context).size());
      const int64_t expected = std::max(spec.keys, spec.queries) * spec.values;
      EXPECT_TRUE(needles == expected || spec.haystack == Haystack::kNeedle) << needles << " needles, not " << expected;
      const auto padding = std::find_if(row.ids.rbegin(), row.ids.rend(),
                                        [&](uint16_t id) { return id != static_cast<uint16_t>(request.eos_id); }) -
                           row.ids.rbegin();
      EXPECT_LT(padding, 200) << tokens;
    }
  }
}

TEST_P(EveryTrainingTask, RowsArePureAndDiffer) {
  const TrainingRequest request = request_of(std::string(GetParam()->name()), 512, 100);
  std::unordered_set<uint64_t> seen;
  for (const int64_t index : {99, 0, 50, 99}) {
    const TrainingRow row = make_training_row(request, index, family()), again = make_training_row(request, index, family());
    EXPECT_EQ(row.ids, again.ids);
    EXPECT_EQ(row.mask, again.mask);
    seen.insert(stable_hash({reinterpret_cast<const char*>(row.ids.data()), row.ids.size() * 2}));
  }
  EXPECT_EQ(seen.size(), 3u);
}

// The promise of the splits: no key and no value of an evaluation sample stands anywhere in a training row.
TEST(TrainingSplit, NeverMeetsTheEvaluation) {
  std::string text;
  std::unordered_set<std::string> trained;
  std::unordered_set<uint64_t> sentences;
  const auto scan = [&](int64_t tokens, int64_t rows) {
    const TrainingRequest request = request_of("niah", tokens, rows, 1000);
    for (int64_t index = 0; index < rows; ++index) {
      const TrainingRow row = make_training_row(request, index, family());
      for (const Turn& turn : turns_of(row, request)) {
        for (const FoundNeedle& needle : find_needles(turn.context)) trained.insert({needle.key, needle.value});
        for (const std::string& key : asked_keys(turn.context)) trained.insert(key);
        for (size_t at = 0, end; (end = turn.context.find(". ", at)) != std::string::npos; at = end + 2)
          sentences.insert(stable_hash(std::string_view(turn.context).substr(at, end + 1 - at)));
        text += turn.context + turn.answer + "\n";
      }
    }
  };
  scan(512, 2500);
  scan(2048, 400);
  scan(8192, 60);
  ASSERT_GT(trained.size(), 20000u);
  for (const std::string& word : trained) ASSERT_EQ(split_of(word), Split::kTrain) << word;

  int64_t checked = 0;
  for (const Task* task : resolve_tasks("niah"))
    for (int64_t index = 0; index < 12; ++index) {
      SampleRequest request;
      request.length = 4096;
      request.index = index;
      const Sample sample = task->make_sample(request, family());
      for (const FoundNeedle& needle : find_needles(sample.prompt()))
        for (const std::string& word : {needle.key, needle.value}) {
          ASSERT_EQ(split_of(word), Split::kEval) << word;
          ASSERT_FALSE(trained.contains(word)) << word;
          ++checked;
        }
      for (const Evidence& span : sample.evidence)
        for (const std::string& word : {span.key, span.value}) ASSERT_EQ(text.find(word), std::string::npos) << word;
    }
  EXPECT_GT(checked, 2000);
  for (int64_t index = 0; index < 20000; ++index)
    ASSERT_FALSE(sentences.contains(stable_hash(essay_sentence(Split::kEval, index)))) << index;
}

class EveryOtherTask : public testing::TestWithParam<const Task*> {};
std::vector<const Task*> other_tasks() {
  std::vector<const Task*> others;
  for (const Task* task : all_tasks())
    if (!task->name().starts_with("niah_")) others.push_back(task);
  return others;
}
INSTANTIATE_TEST_SUITE_P(Tasks, EveryOtherTask, testing::ValuesIn(other_tasks()),
                         [](const auto& test) { return std::string(test.param->name()); });

// A row as evaluated is a sample of the training split, and the answer that it teaches scores in full.
TEST_P(EveryOtherTask, TeachesAnswersThatScore) {
  const Task& task = *GetParam();
  const TrainingRows& rows = training_rows(task);
  SampleRequest request;
  request.length = 8192;
  request.split = Split::kTrain;
  for (request.index = 0; request.index < 3; ++request.index) {
    const Sample sample = task.make_sample(request, family());
    EXPECT_EQ(task.score(sample, rows.answer(task, sample)).value, 1.0) << sample.id;
    EXPECT_LE(family().count(rows.answer(task, sample)), rows.answer_room(task)) << sample.id;
  }
}

TEST_P(EveryOtherTask, RowsArePureFullAndAskAsTheEvaluationDoes) {
  const std::string name(GetParam()->name());
  const std::string prompt = GetParam()->make_sample({.length = 8192}, family()).prompt();
  const std::string ends = prompt.substr(prompt.size() - 6);
  for (const bool as_evaluated : {false, true}) {
    TrainingRequest request = request_of(name, 8192, 4);
    request.as_evaluated = as_evaluated;
    for (int64_t index = 0; index < 4; ++index) {
      const TrainingRow row = make_training_row(request, index, family());
      EXPECT_EQ(row.ids, make_training_row(request, index, family()).ids);
      const std::vector<Turn> turns = turns_of(row, request);
      ASSERT_FALSE(turns.empty());
      EXPECT_TRUE(turns.size() == 1 || !as_evaluated);
      for (const Turn& turn : turns) {
        EXPECT_FALSE(turn.answer.empty());
        if (turn.context.empty() && name == "nolima" && !as_evaluated) continue;  // a row of facts
        EXPECT_TRUE(turn.context.ends_with(ends)) << turn.context.substr(turn.context.size() - 40);
      }
      const auto used = std::find_if(row.ids.rbegin(), row.ids.rend(), [](uint16_t id) { return id != 2; });
      EXPECT_LT(used - row.ids.rbegin(), 8192 / 3) << "most of the row is used";
    }
  }
}

// No answer of an evaluation sample stands in a training row, and no answer of a training row in an evaluation sample.
TEST_P(EveryOtherTask, AnswersOfTheSplitsNeverMeet) {
  const Task& task = *GetParam();
  const TrainingRequest request = request_of(std::string(task.name()), 8192, 12, 1000);
  std::string trained;
  for (int64_t index = 0; index < request.rows; ++index)
    for (const Turn& turn : turns_of(make_training_row(request, index, family()), request))
      trained += turn.context + "\n" + turn.answer + "\n";
  for (int64_t index = 0; index < 12; ++index) {
    const Sample sample = task.make_sample({.length = 8192, .index = index}, family());
    for (const std::string& output : sample.outputs) {
      const std::string entry = task.name() == "cwe" ? ". " + output + " " : output;  // templates hold common words too
      EXPECT_EQ(trained.find(entry), std::string::npos) << output;
    }
  }
}

// Rows of plain facts: about one in 25, nothing but facts, and never among rows as evaluated.
TEST(TrainingRows, SomeOfNolimaStateItsAssociations) {
  TrainingRequest request = request_of("nolima", 512, 400);
  const std::set<std::string> facts(own_facts().begin(), own_facts().end());
  int rows = 0;
  for (int64_t index = 0; index < request.rows; ++index) {
    const std::vector<Turn> turns = turns_of(make_training_row(request, index, family()), request);
    if (!turns[0].context.empty()) continue;
    ++rows;
    for (const Turn& turn : turns) {
      EXPECT_EQ(turn.context, "");
      EXPECT_TRUE(facts.contains(turn.answer)) << turn.answer;
    }
  }
  EXPECT_NEAR(rows, 16, 15);  // sigma is 3.9
  EXPECT_GT(rows, 0);
  request.as_evaluated = true;
  for (int64_t index = 0; index < 40; ++index)
    EXPECT_FALSE(turns_of(make_training_row(request, index, family()), request)[0].context.empty());
}

// Each question of a conversation is answered by the reply to that instance of its request, in rows of 512 tokens too.
TEST(TrainingRows, MrcrAsksForTheReplyOfAnInstance) {
  for (const auto& [task, length] : {std::pair<const char*, int64_t>{"mrcr_2", 512}, {"mrcr_4", 1024}, {"mrcr_8", 4096}}) {
    std::set<int64_t> ordinals;
    int64_t questions = 0;
    for (int64_t index = 0; index < 40; ++index) {
      const TrainingRequest request = request_of(task, length, 40);
      std::string read;
      for (const Turn& turn : turns_of(make_training_row(request, index, family()), request)) {
        const bool goes_on = turn.context.find("Prepend ") < 12;
        read = goes_on ? read + turn.context : turn.context;
        const size_t from = turn.context.rfind("User:\n") + 6;
        const auto question = parse_mrcr_question(turn.context.substr(from, turn.context.rfind("\n\nAssistant:\n") - from));
        ASSERT_TRUE(question.has_value()) << turn.context;
        const std::string asked =
            render_message("user", mrcr_request(question->format, question->topic)) + std::string(kMrcrAnswerPrefix);
        size_t at = 0;
        for (int64_t n = 0; n < question->ordinal; ++n) {
          at = read.find(asked, at);
          ASSERT_NE(at, std::string::npos) << turn.context;
          at += asked.size();
        }
        EXPECT_EQ(question->hash + read.substr(at, turn.answer.size() - question->hash.size()), turn.answer);
        ordinals.insert(question->ordinal);
        ++questions;
      }
    }
    EXPECT_GT(questions, 40) << task;
    EXPECT_GE(ordinals.size(), 2u) << task;
  }
}

// Questions on the documents that stand in the row: each answer stands in the haystack.
TEST(TrainingRows, QuestionsOfDocumentsHaveTheirAnswersThere) {
  int64_t questions = 0;
  for (const char* task : {"qa_1", "qa_2", "vt"})
    for (int64_t index = 0; index < 40; ++index) {
      const TrainingRequest request = request_of(task, 2048, 40);
      std::string read;
      std::set<std::string> asked;
      for (const Turn& turn : turns_of(make_training_row(request, index, family()), request)) {
        read += turn.context;
        EXPECT_TRUE(asked.insert(turn.context.substr(turn.context.rfind("Question: "))).second) << "asked twice";
        std::istringstream words(turn.answer);
        for (std::string word; words >> word;) EXPECT_NE(read.find(word), std::string::npos) << task << ": " << word;
        ++questions;
      }
    }
  EXPECT_GT(questions, 300);
}

TEST(TrainingRows, OneSeedOrSplitIsNotAnother) {
  TrainingRequest request = request_of("niah", 256, 1);
  const TrainingRow row = make_training_row(request, 0, family());
  request.seed = 2;
  EXPECT_NE(make_training_row(request, 0, family()).ids, row.ids);
  request.seed = 1;
  request.split = Split::kEval;
  EXPECT_NE(make_training_row(request, 0, family()).ids, row.ids);
}

TEST(TrainingRows, TasksComeByWeight) {
  TrainingRequest request;
  request.mix = {{"niah_single_1", 3.0}, {"niah_multikey_3", 1.0}, {"niah_multiquery", 0.0}};
  request.row_tokens = 512;
  int noise = 0, uuids = 0;
  for (int64_t index = 0; index < 400; ++index) {
    const std::string context = turns_of(make_training_row(request, index, family()), request)[0].context;
    noise += context.find(kNoiseSentence) != std::string::npos;
    uuids += context.find("magic uuid") != std::string::npos;
  }
  EXPECT_EQ(noise + uuids, 400);
  EXPECT_NEAR(noise, 300, 45);  // sigma is 8.7
}

TEST(TrainingRows, RefuseWhatCannotBe) {
  const auto code = [](const TrainingRequest& request, const Tokenizer& tokenizer) {
    try {
      make_training_row(request, 0, tokenizer);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code(request_of("niah", 20, 1), family()), ErrorCode::kUsage) << "too short for a question";
  EXPECT_EQ(code(request_of("niah", 512, 1), *open_tokenizer("whitespace")), ErrorCode::kUnsupported)
      << "ids beyond 16 bits";
  TrainingRequest unknown = request_of("niah", 512, 1);
  unknown.mix = {{"no_such_task", 1.0}};
  EXPECT_EQ(code(unknown, family()), ErrorCode::kUsage);
  unknown.mix = {};
  EXPECT_EQ(code(unknown, family()), ErrorCode::kUsage);
  unknown.mix = {{"niah_single_1", 0.0}};
  EXPECT_EQ(code(unknown, family()), ErrorCode::kUsage);
}

class TrainingFile : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }
  std::string write(const TrainingRequest& request) {
    write_training_file(path_, request, family());
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string path_ = (fs::temp_directory_path() / fmt::format("sala_training_{}.tok", ::getpid())).string();
};

uint64_t little_endian(const std::string& bytes, size_t at, int size) {
  uint64_t value = 0;
  for (int i = size - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<size_t>(i)]);
  return value;
}

// docs/file_formats.md, "Packed tokens", read here without the writer's code.
TEST_F(TrainingFile, HasTheDocumentedLayout) {
  const TrainingRequest request = request_of("niah", 300, 150, 77);
  const std::string bytes = write(request);
  ASSERT_EQ(bytes.size(), 48u + 150 * 300 * 3);
  EXPECT_EQ(bytes.substr(0, 8), "SALATOK1");
  EXPECT_EQ(little_endian(bytes, 8, 4), 1u);
  EXPECT_EQ(little_endian(bytes, 12, 4), 300u);
  EXPECT_EQ(little_endian(bytes, 16, 8), 150u);
  EXPECT_EQ(little_endian(bytes, 24, 8), 77u);
  EXPECT_EQ(bytes.substr(32, 16), family().hash());
  for (int64_t row = 0; row < 150; ++row) {
    const TrainingRow want = make_training_row(request, row, family());
    for (size_t i = 0; i < 300; ++i) {
      const size_t at = static_cast<size_t>(row) * 300 + i;
      ASSERT_EQ(little_endian(bytes, 48 + 2 * at, 2), want.ids[i]) << row << " " << i;
      ASSERT_EQ(static_cast<uint8_t>(bytes[48 + 2 * 150 * 300 + at]), want.mask[i]) << row << " " << i;
    }
  }
}

// Members under models/ were trained on these bytes: another value here means that they should be trained again.
TEST_F(TrainingFile, IsPinned) {
  TrainingRequest request = request_of("niah", 512, 64);
  request.length_jitter = true;
  EXPECT_EQ(fmt::format("{:016x}", stable_hash(write(request))), "04aadf1cf7ca6648");
}

TEST_F(TrainingFile, DoesNotDependOnThreads) {
  const TrainingRequest request = request_of("niah", 256, 300);
  set_num_threads(1);
  const std::string one = write(request);
  set_num_threads(7);
  const std::string seven = write(request);
  set_num_threads(0);
  EXPECT_TRUE(one == seven);
}

TEST_F(TrainingFile, ReportsProgressUpToTheLastRow) {
  int64_t most = 0;
  write_training_file(path_, request_of("niah_single_1", 256, 130), family(),
                      [&](int64_t done) { most = std::max(most, done); });
  EXPECT_EQ(most, 130);
}

TEST_F(TrainingFile, RefusesImpossibleSizesAndPlaces) {
  const auto code = [](const std::string& path, const TrainingRequest& request) {
    try {
      write_training_file(path, request, family());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code(path_, request_of("niah", 0, 1)), ErrorCode::kUsage);
  EXPECT_EQ(code(path_, request_of("niah", 512, 0)), ErrorCode::kUsage);
  EXPECT_EQ(code(path_, request_of("niah", int64_t{1} << 33, 1)), ErrorCode::kUsage);
  EXPECT_EQ(code(path_, request_of("niah", 512, int64_t{1} << 60)), ErrorCode::kUsage);
  EXPECT_EQ(code(path_, request_of("niah", 20, 4)), ErrorCode::kUsage);
  EXPECT_FALSE(fs::exists(path_)) << "refused before the file exists";
  EXPECT_EQ(code("/no/such/folder/rows.tok", request_of("niah", 256, 4)), ErrorCode::kIo);
}

TEST_F(TrainingFile, NothingIsWrittenThroughALinkOrIntoADevice) {
  fs::create_symlink("/dev/null", path_);
  for (const std::string& path : {path_, std::string("/dev/null")}) {
    try {
      write_training_file(path, request_of("niah", 256, 4), family());
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
    }
  }
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace sala::tasks
