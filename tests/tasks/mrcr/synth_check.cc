#include "tests/tasks/mrcr/synth_check.h"

#include <gtest/gtest.h>

#include <map>

#include "tasks/mrcr/grader.h"
#include "tasks/mrcr/sequence_matcher.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

int64_t occurrences(std::string_view text, std::string_view part) {
  int64_t found = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

void expect_mix(const MrcrConversation& made, int64_t needles, size_t rung) {
  const MrcrMix mix = mrcr_ladder(needles)[rung];
  std::map<std::string, int64_t> requests;
  int64_t near_topic = 0, near_format = 0;
  const std::vector<Message> messages = made.row.chat.messages();
  for (size_t i = 1; i + 1 < messages.size(); i += 2) {
    const std::string request(messages[i].content);
    ++requests[request];
    const bool topic = request.ends_with(" about " + made.question.topic),
               format = request.starts_with("write a " + made.question.format + " about ");
    near_topic += topic && !format;
    near_format += format && !topic;
  }
  EXPECT_EQ(requests[mrcr_request(made.question.format, made.question.topic)], needles);
  EXPECT_GE(near_topic, mix.near_topic);
  EXPECT_GE(near_format, mix.near_format);
  int64_t repeated = 0;
  for (const auto& [request, count] : requests)
    repeated += count >= 2 && !request.ends_with(" about " + made.question.topic) &&
                !request.starts_with("write a " + made.question.format + " about ");
  EXPECT_GE(repeated, mix.groups);
}

void expect_spread(const MrcrConversation& made) {
  const auto places = equal_requests(made.row.chat.messages(), made.row.desired_msg_index);
  const auto pairs = static_cast<int64_t>(made.row.chat.turns.size() - 2) / 2;
  for (size_t i = 1; i < places.size(); ++i) EXPECT_GT(places[i] - places[i - 1], 2) << "neighbours";
  EXPECT_LT(10 * ((places[0] - 1) / 2), 6 * pairs);
}

}  // namespace

void expect_sound(const MrcrConversation& made, int64_t needles, const SampleRequest& request, const Tokenizer& tokenizer,
                  size_t rung) {
  const MrcrRow& row = made.row;
  SCOPED_TRACE(testing::Message() << "mrcr_" << needles << " length " << request.length << " index " << request.index);
  for (const std::string& problem : check_mrcr_row(row)) ADD_FAILURE() << problem;
  EXPECT_EQ(row.n_needles, needles);
  EXPECT_EQ(made.question.ordinal, request.index % needles + 1);

  const std::string prompt = row.chat.text + std::string(kMrcrAnswerPrefix), reply = row.answer.substr(row.hash.size());
  const std::vector<Message> messages = row.chat.messages();
  std::string rendered;
  for (const Message& message : messages) rendered += render_message(message.role, message.content);
  EXPECT_EQ(row.chat.text, rendered);
  EXPECT_EQ(made.prompt_ids, tokenizer.encode(prompt));
  const int64_t used = static_cast<int64_t>(made.prompt_ids.size()) + made.tokens_to_generate;
  EXPECT_LE(used, request.length);
  EXPECT_GE(static_cast<double>(used), 0.995 * static_cast<double>(request.length));
  EXPECT_EQ(occurrences(prompt, reply), 1);
  EXPECT_EQ(occurrences(prompt, row.hash), 1);
  EXPECT_EQ(occurrences(messages.back().content, row.hash), 1);

  EXPECT_EQ(mrcr_grade(row.answer, row.answer, row.hash).score, 1.0);
  SequenceMatcher answer(code_points(reply));
  double worst = 0;
  for (size_t i = 1; i + 1 < messages.size(); i += 2) {
    const std::string_view asked = messages[i].content;
    const bool near =
        asked.ends_with(" about " + made.question.topic) || asked.starts_with("write a " + made.question.format + " about ");
    if (near && static_cast<int64_t>(i) != row.desired_msg_index)
      worst = std::max(worst, answer.ratio(code_points(messages[i + 1].content)).ratio);
  }
  EXPECT_LE(worst, kMrcrMaxRatio);
  const auto places = equal_requests(messages, row.desired_msg_index);
  int64_t longest = 0;
  for (int64_t at : places) {
    const std::string instance(messages[static_cast<size_t>(at) + 1].content);
    longest = std::max(longest, tokenizer.count(row.hash + instance));
    for (int64_t other : places) {
      if (other == at) continue;
      EXPECT_LE(sequence_ratio(messages[static_cast<size_t>(other) + 1].content, instance).ratio, kMrcrMaxRatio);
    }
  }
  EXPECT_EQ(made.tokens_to_generate, longest + kMrcrBudgetMargin);
  expect_mix(made, needles, rung);
  expect_spread(made);
  EXPECT_EQ(split_of(made.question.topic), request.split);
  EXPECT_EQ(split_of(row.hash), request.split);
}

}  // namespace sala::tasks
