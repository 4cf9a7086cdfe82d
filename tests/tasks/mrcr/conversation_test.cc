#include "tasks/mrcr/conversation.h"

#include <gtest/gtest.h>

#include "sala/tokenizer/tokenizer.h"

namespace sala::tasks {
namespace {

TEST(MrcrConversation, QuestionHasTheExactWording) {
  EXPECT_EQ(mrcr_question({"Ab3dE9xyZq", 2, "diary entry", "lanterns"}),
            "Prepend Ab3dE9xyZq to the 2nd (1 indexed) diary entry about lanterns. Do not include any other text in your "
            "response.");
  EXPECT_EQ(mrcr_request("email", "horses"), "write a email about horses");
}

TEST(MrcrConversation, OrdinalsAreEnglish) {
  EXPECT_EQ(ordinal_word(1), "1st");
  EXPECT_EQ(ordinal_word(2), "2nd");
  EXPECT_EQ(ordinal_word(3), "3rd");
  EXPECT_EQ(ordinal_word(4), "4th");
  EXPECT_EQ(ordinal_word(8), "8th");
  EXPECT_EQ(ordinal_word(11), "11th");
  EXPECT_EQ(ordinal_word(12), "12th");
  EXPECT_EQ(ordinal_word(13), "13th");
  EXPECT_EQ(ordinal_word(22), "22nd");
}

TEST(MrcrConversation, ParsingAQuestionGivesItBack) {
  for (int64_t ordinal = 1; ordinal <= 23; ++ordinal) {
    const auto question =
        parse_mrcr_question(mrcr_question({"0123456789", ordinal, "short news article", "tariffs about town"}));
    ASSERT_TRUE(question);
    EXPECT_EQ(question->hash, "0123456789");
    EXPECT_EQ(question->ordinal, ordinal);
    EXPECT_EQ(question->format, "short news article");
    EXPECT_EQ(question->topic, "tariffs about town");
  }
}

TEST(MrcrConversation, OtherTextIsNoQuestion) {
  const std::string good = mrcr_question({"0123456789", 1, "poem", "owls"});
  EXPECT_TRUE(parse_mrcr_question(good));
  EXPECT_FALSE(parse_mrcr_question(""));
  EXPECT_FALSE(parse_mrcr_question("write a poem about owls"));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_mrcr_question(good.substr(0, size))) << size;
}

TEST(MrcrConversation, AnBeforeAVowelIsTheSameRequest) {
  const std::vector<Message> messages = {
      {"user", "p"},      {"user", "write a email about owls"},   {"assistant", "x"}, {"user", "write an email about owls"},
      {"assistant", "y"}, {"user", "write a email about owlets"}, {"assistant", "z"}, {"user", "q"}};
  EXPECT_EQ(equal_requests(messages, 3), (std::vector<int64_t>{1, 3}));
}

TEST(MrcrConversation, PlainRenderingPutsRolesOnLines) {
  Chat chat;
  std::string rendered;
  for (const auto& [role, content] : {Message{"system", "s"}, {"user", "a\n"}, {"assistant", "b"}}) {
    chat.add(role, content);
    rendered += render_message(role, content);
  }
  EXPECT_EQ(chat.text, "System:\ns\n\nUser:\na\n\n\nAssistant:\nb\n\n");
  EXPECT_EQ(rendered, chat.text);
  const std::vector<Message> messages = chat.messages();
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[1].content, "a\n");
  EXPECT_EQ(messages[2].content, "b");
}

TEST(MrcrConversation, MergedTurnsAlternate) {
  const Chat chat = merge_turns({{"user", "preamble"}, {"user", "request"}, {"assistant", "reply"}, {"user", "question"}});
  const std::vector<Message> merged = chat.messages();
  ASSERT_EQ(merged.size(), 3u);
  EXPECT_EQ(merged[0].content, "preamble\nrequest");
  EXPECT_EQ(merged[1].role, "assistant");
}

TEST(MrcrConversation, BinsHaveInclusiveUpperBounds) {
  EXPECT_EQ(mrcr_bin(4095), 0);
  EXPECT_EQ(mrcr_bin(4096), 8192);
  EXPECT_EQ(mrcr_bin(8192), 8192);
  EXPECT_EQ(mrcr_bin(8193), 16384);
  EXPECT_EQ(mrcr_bin(131072), 131072);
  EXPECT_EQ(mrcr_bin(131073), 262144);
  EXPECT_EQ(mrcr_bin(1048576), 1048576);
  EXPECT_EQ(mrcr_bin(1048577), 0);
}

TEST(MrcrConversation, BinsCountContentsAndAnswerOnly) {
  const auto words = open_tokenizer("whitespace");
  EXPECT_EQ(count_mrcr_tokens({{"user", "a b c"}, {"assistant", "d e"}}, "f", *words), 6);
}

}  // namespace
}  // namespace sala::tasks
