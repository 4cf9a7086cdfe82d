#include "tasks/mrcr/synth.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/text/values.h"
#include "tests/tasks/mrcr/synth_check.h"

namespace sala::tasks {
namespace {

const Tokenizer& family_tokenizer() {
  static const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  return *tokenizer;
}

SampleRequest make_request(int64_t length, int64_t index, Split split = Split::kEval) {
  SampleRequest request;
  request.length = length;
  request.index = index;
  request.split = split;
  return request;
}

class EveryNeedleCount : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Mrcr, EveryNeedleCount, testing::Values(2, 4, 8));

TEST_P(EveryNeedleCount, SamplesAt4kAreSound) {
  const size_t rung = GetParam() == 2 ? 0 : GetParam() == 4 ? 1 : 2;  // more needles leave less room for near misses
  for (int64_t index = 0; index < 24; ++index) {
    const SampleRequest request = make_request(4096, index);
    expect_sound(make_mrcr_conversation(GetParam(), request, family_tokenizer()), GetParam(), request, family_tokenizer(),
                 rung);
  }
}

TEST_P(EveryNeedleCount, SamplesAt32kHaveEveryNearMiss) {
  for (int64_t index = 0; index < 6; ++index) {
    const SampleRequest request = make_request(32768, index);
    expect_sound(make_mrcr_conversation(GetParam(), request, family_tokenizer()), GetParam(), request, family_tokenizer(),
                 0);
  }
}

TEST_P(EveryNeedleCount, OtherTokenizersFitToo) {
  const auto bytes = open_tokenizer("byte"), words = open_tokenizer("whitespace");
  const SampleRequest request = make_request(40000, 3);
  expect_sound(make_mrcr_conversation(GetParam(), request, *bytes), GetParam(), request, *bytes, 0);
  expect_sound(make_mrcr_conversation(GetParam(), request, *words), GetParam(), request, *words, 0);
}

TEST_P(EveryNeedleCount, TrainingSamplesShareNothingWithEvaluation) {
  static const std::regex names("\\b(Dear|Kind regards,)\\s([A-Z][a-z]+)");
  std::set<std::string> seen[2];
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (int64_t index = 0; index < 8; ++index) {
      const SampleRequest request = make_request(8192, index, split);
      const MrcrConversation made = make_mrcr_conversation(GetParam(), request, family_tokenizer());
      expect_sound(made, GetParam(), request, family_tokenizer(), 0);
      const std::vector<Message> messages = made.row.chat.messages();
      for (size_t i = 1; i + 1 < messages.size(); i += 2) {
        const std::string asked(messages[i].content);
        const std::string topic = asked.substr(asked.find(" about ") + 7);
        EXPECT_EQ(split_of(topic), split) << topic;
        seen[split == Split::kEval ? 0 : 1].insert(topic);
      }
      for (std::sregex_iterator at(made.row.chat.text.begin(), made.row.chat.text.end(), names), end; at != end; ++at)
        EXPECT_EQ(split_of((*at)[2].str()), split);
    }
  }
  for (const std::string& topic : seen[0]) EXPECT_FALSE(seen[1].contains(topic)) << topic;
}

TEST_P(EveryNeedleCount, TooShortALengthSaysWhatWouldDo) {
  for (int64_t index = 0; index < 10; ++index) {
    try {
      make_mrcr_conversation(GetParam(), make_request(600, index), family_tokenizer());
      FAIL() << "600 tokens cannot hold it";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      const std::string message = error.what();
      const int64_t least = std::stoll(message.substr(message.find("at least ") + 9));
      const SampleRequest request = make_request(least, index);
      expect_sound(make_mrcr_conversation(GetParam(), request, family_tokenizer()), GetParam(), request, family_tokenizer(),
                   3);
    }
  }
}

// The first reply that is drawn to take what is left is longer than that.
TEST(MrcrSynth, ATopUpThatCannotBeCutIsDrawnAgain) {
  SampleRequest request = make_request(1266, 83808246, Split::kTrain);
  request.seed = 681023515461638026;
  expect_sound(make_mrcr_conversation(2, request, family_tokenizer()), 2, request, family_tokenizer(), 3);
}

TEST(MrcrSynth, AskedOrdinalsAreBalanced) {
  std::vector<int> asked(5, 0);
  for (int64_t index = 0; index < 12; ++index)
    ++asked[static_cast<size_t>(make_mrcr_conversation(4, make_request(4096, index), family_tokenizer()).question.ordinal)];
  EXPECT_EQ(asked, (std::vector<int>{0, 3, 3, 3, 3}));
}

TEST(MrcrSynth, ThreadsAndOrderDoNotMatter) {
  std::vector<std::string> serial(6), parallel(6);
  for (int64_t i = 5; i >= 0; --i)
    serial[static_cast<size_t>(i)] = make_mrcr_conversation(2, make_request(4096, i), family_tokenizer()).row.chat.text;
  set_num_threads(3);
  parallel_for(6, [&](int64_t i, int) {
    parallel[static_cast<size_t>(i)] = make_mrcr_conversation(2, make_request(4096, i), family_tokenizer()).row.chat.text;
  });
  set_num_threads(0);
  EXPECT_EQ(serial, parallel);
  EXPECT_NE(serial[0], serial[1]);
}

TEST(MrcrTasks, SampleCarriesTheConversationAndItsEvidence) {
  for (const Task* task : resolve_tasks("mrcr")) {
    const Sample sample = task->make_sample(make_request(8192, 1), family_tokenizer());
    EXPECT_EQ(sample.id, "mrcr/" + std::string(task->name()) + "@8192#1!42");
    std::string rendered;
    for (const Message& message : sample.messages()) rendered += render_message(message.role, message.content);
    EXPECT_EQ(sample.input, rendered);
    EXPECT_EQ(sample.prompt_ids, family_tokenizer().encode(sample.prompt()));
    EXPECT_EQ(task->score(sample, sample.outputs[0]).value, 1.0);
    EXPECT_EQ(task->score(sample, "").value, 0.0);
    ASSERT_EQ(sample.evidence.size(), 1u);
    const Evidence& evidence = sample.evidence[0];
    const std::string read = family_tokenizer().decode(
        {sample.prompt_ids.begin() + evidence.token_begin, sample.prompt_ids.begin() + evidence.token_end});
    EXPECT_NE(read.find(evidence.value), std::string::npos) << read;
    EXPECT_LE(read.size(), evidence.value.size() + 8);
    EXPECT_EQ(sample.outputs[0].substr(10), evidence.value);
    const Sample again = regenerate(sample.id, family_tokenizer());
    EXPECT_EQ(again.input, sample.input);
  }
}

TEST(MrcrTasks, AnotherInstanceScoresLowAndIsConfusion) {
  const Task& task = *resolve_tasks("mrcr")[1];
  const Sample sample = task.make_sample(make_request(16384, 2), family_tokenizer());
  const std::vector<Message> messages = sample.messages();
  int64_t others = 0;
  for (size_t i = 1; i + 1 < messages.size(); i += 2) {
    if (messages[i].content != sample.evidence[0].key || messages[i + 1].content == sample.evidence[0].value) continue;
    const std::string response = sample.outputs[0].substr(0, 10).append(messages[i + 1].content);
    EXPECT_LE(task.score(sample, response).value, kMrcrMaxRatio);
    double confused = 0;
    for (const auto& [name, value] : task.score(sample, response).diagnostics)
      if (name == "confused") confused = value;
    EXPECT_EQ(confused, 1.0);
    ++others;
  }
  EXPECT_EQ(others, 3);
}

TEST(MrcrTasks, RecordHasTheOfficialColumnsFirst) {
  const Sample sample = resolve_tasks("mrcr")[0]->make_sample(make_request(8192, 1), family_tokenizer());
  const Record record = mrcr_record(sample, family_tokenizer());
  const std::vector<std::string> columns = {
      "prompt", "answer", "random_string_to_prepend", "n_needles", "desired_msg_index", "total_messages", "n_chars"};
  for (size_t i = 0; i < columns.size(); ++i) EXPECT_EQ(record[i].first, columns[i]);
  EXPECT_EQ(std::get<int64_t>(record[3].second), 2);
  EXPECT_EQ(std::get<int64_t>(record[5].second), static_cast<int64_t>(sample.turns.size()));
}

// tests/data/mrcr/mrcr_2_words_1500.txt: prompt of mrcr_2 at 1,500 whitespace tokens, index 1, seed 42, as this generator
// first wrote it.
TEST(MrcrTasks, GoldenSample_seed42_1500words) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/mrcr/mrcr_2_words_1500.txt", std::ios::binary);
  ASSERT_TRUE(file.good());
  std::stringstream golden;
  golden << file.rdbuf();
  const auto words = open_tokenizer("whitespace");
  const Sample sample = resolve_tasks("mrcr")[0]->make_sample(make_request(1500, 1), *words);
  EXPECT_EQ(sample.prompt() + sample.outputs[0], golden.str());
}

}  // namespace
}  // namespace sala::tasks
