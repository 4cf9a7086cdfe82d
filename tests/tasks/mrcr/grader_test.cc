#include "tasks/mrcr/grader.h"

#include <gtest/gtest.h>

#include <map>

#include "tasks/mrcr/conversation.h"

namespace sala::tasks {
namespace {

const std::string kHash = "Ab3dE9xyZq";
const std::string kOwls = "The owl sat by the old mill and waited for the rain to stop.";
const std::string kFoxes = "A fox ran over two hills, through a gate, past eleven sheep.";

const std::string kQuestion = mrcr_question({kHash, 2, "poem", "owls"});

std::vector<Message> chat() {
  return {{"user", "preamble"},  {"user", "write a poem about owls"},
          {"assistant", kFoxes}, {"user", "write a poem about owls"},
          {"assistant", kOwls},  {"user", kQuestion}};
}

std::map<std::string, double> diagnose(const std::string& response) {
  const auto list = mrcr_diagnostics(response, kHash + kOwls, kHash, chat());
  return {list.begin(), list.end()};
}

TEST(MrcrGrader, TheAnswerScoresOne) {
  const MrcrGrade grade = mrcr_grade(kHash + kOwls, kHash + kOwls, kHash);
  EXPECT_EQ(grade.score, 1.0);
  EXPECT_TRUE(grade.prefix_hit);
  EXPECT_FALSE(grade.capped);
}

TEST(MrcrGrader, NoPrefixScoresNothing) {
  EXPECT_EQ(mrcr_grade(kOwls, kHash + kOwls, kHash).score, 0.0);
  EXPECT_EQ(mrcr_grade("", kHash + kOwls, kHash).score, 0.0);
  EXPECT_EQ(mrcr_grade("Sure! " + kHash + kOwls, kHash + kOwls, kHash).score, 0.0);
}

TEST(MrcrGrader, NothingIsStrippedBeforeTheGate) {
  EXPECT_EQ(mrcr_grade("\n" + kHash + kOwls, kHash + kOwls, kHash).score, 0.0);
  EXPECT_EQ(mrcr_grade(" " + kHash + kOwls, kHash + kOwls, kHash).score, 0.0);
  EXPECT_EQ(strip_leading("\r\n  x \n"), "x \n");
  EXPECT_EQ(strip_leading(" \n"), "");
}

TEST(MrcrGrader, TheHashIsRemovedOnce) {
  const double twice = mrcr_grade(kHash + kHash + kOwls, kHash + kOwls, kHash).score;
  // 10 characters too many in the response: 2 * 60 / (70 + 60).
  EXPECT_EQ(twice, 2.0 * 60 / 130);
  ASSERT_EQ(kOwls.size(), 60u);
}

TEST(MrcrGrader, TrailingWhitespaceCounts) {
  EXPECT_EQ(mrcr_grade(kHash + kOwls + "\n", kHash + kOwls, kHash).score, 2.0 * 60 / 121);
}

TEST(MrcrGrader, DiagnosticsOfTheRightAnswer) {
  auto figures = diagnose(kHash + kOwls);
  EXPECT_EQ(figures["prefix_hit"], 1.0);
  EXPECT_EQ(figures["score_stripped"], 1.0);
  EXPECT_EQ(figures["score_no_autojunk"], 1.0);
  EXPECT_EQ(figures["confused"], 0.0);
  EXPECT_EQ(figures["grader_capped"], 0.0);
}

TEST(MrcrGrader, AnotherInstanceIsConfusion) {
  auto figures = diagnose(kHash + kFoxes);
  EXPECT_EQ(figures["prefix_hit"], 1.0);
  EXPECT_EQ(figures["confused"], 1.0);
  EXPECT_LT(figures["score_stripped"], 0.5);
}

TEST(MrcrGrader, ConfusionIsSeenWithoutThePrefixToo) {
  auto figures = diagnose(kFoxes);
  EXPECT_EQ(figures["prefix_hit"], 0.0);
  EXPECT_EQ(figures["confused"], 1.0);
  EXPECT_EQ(figures["score_no_autojunk"], 0.0);
}

TEST(MrcrGrader, StrippedScoreForgivesALeadingNewline) {
  auto figures = diagnose("\n" + kHash + kOwls);
  EXPECT_EQ(figures["prefix_hit"], 0.0);
  EXPECT_EQ(figures["score_stripped"], 1.0);
}

}  // namespace
}  // namespace sala::tasks
