// vt, cwe, fwe, qa_1 and qa_2 in `fixed` mode: templates, properties, determinism, refusals.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/core/rng.h"
#include "tasks/ruler/cwe.h"
#include "tasks/ruler/qa.h"
#include "tasks/ruler/vt.h"
#include "tests/tasks/ruler/ruler_check.h"

namespace sala::tasks {
namespace {

const std::string kFamily = SALA_SOURCE_DIR "/models/tokenizer.model";
const std::vector<std::string> kTasks = {"vt", "cwe", "fwe", "qa_1", "qa_2"};

Sample make(const std::string& task, int64_t length, const Tokenizer& tokenizer, int64_t index = 0, uint64_t seed = 42) {
  SampleRequest request;
  request.length = length;
  request.index = index;
  request.seed = seed;
  return task_of(task).make_sample(request, tokenizer);
}

void check(const Sample& sample, const Tokenizer& tokenizer, bool decodes) {
  SCOPED_TRACE(sample.id);
  check_frame(sample, tokenizer, decodes);
  if (sample.task == "vt") check_vt(sample);
  if (sample.task == "fwe") check_fwe(sample);
  if (sample.task == "qa_1") check_qa(sample, 1);
  if (sample.task == "qa_2") check_qa(sample, 2);
  if (sample.task != "cwe") return;
  const bool small = sample.evidence.size() == 60;  // also where long words leave no room for 300 common entries
  if (sample.request.length < 4096) {
    EXPECT_TRUE(small);
  }
  check_cwe(sample, small ? 6 : 30, small ? 1 : 3);
}

// Appendix B.1, the prompt of each family for a tiny input, written out.
TEST(RulerTemplates, Vt) {
  const VtChain chain = make_vt_chain("54321", {"AAAAA", "BBBBB", "CCCCC"});
  std::string context;
  append_vt_context(context, chain, {0, 1, 1}, 2);
  const VtText text = vt_text(chain.value, 3);
  EXPECT_EQ(text.header + context + text.question + text.answer_prefix,
            "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n"
            "VAR AAAAA = 54321\n"
            "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n"
            "VAR BBBBB = VAR AAAAA \n"
            "VAR CCCCC = VAR BBBBB \n"
            "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n"
            "Question: Find all variables that are assigned the value 54321 in the text above."
            " Answer: According to the chain(s) of variable assignment in the text above, 3 variables are assigned the "
            "value 54321, they are: ");
}

TEST(RulerTemplates, Cwe) {
  std::string list;
  append_cwe_list(list, {"oak", "elm"}, {1, 0, 1}, 0, nullptr);
  EXPECT_EQ(cwe_text().header + list + cwe_text().question + cwe_text().answer_prefix,
            "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that "
            "appear most often.\n"
            "1. elm 2. oak 3. elm\n"
            "Question: What are the 10 most common words in the above list?"
            " Answer: The top 10 words that appear most often in the list are:");
}

TEST(RulerTemplates, Fwe) {
  std::string words;
  std::vector<int64_t> marks;
  append_fwe_words(words, {"...", "abcdef"}, {0, 1, 0}, {2, 1}, 64, marks);
  EXPECT_EQ(fwe_text().header + words + fwe_text().question + fwe_text().answer_prefix,
            "Read the following coded text and track the frequency of each coded word. Find the three most frequently "
            "appeared coded words. "
            "... abcdef ...\n"
            "Question: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently "
            "appeared words in the "
            "above coded text? Answer: According to the coded text above, the three most frequently appeared words are:");
}

TEST(RulerTemplates, Qa) {
  const QaText text = qa_text("Who?");
  EXPECT_EQ(
      text.header + qa_document_label(1) + "One." + "\n\n" + qa_document_label(2) + "Two." + text.question +
          text.answer_prefix,
      "Answer the question based on the given documents. Only give me the answer and do not output any other words.\n\n"
      "The following are given documents.\n\n"
      "Document 1:\nOne.\n\nDocument 2:\nTwo.\n\n"
      "Answer the question based on the given documents. Only give me the answer and do not output any other words.\n\n"
      "Question: Who? Answer:");
}

TEST(RulerTemplates, TokensToGenerate) {
  for (const auto& [task, tokens] :
       std::vector<std::pair<const char*, int64_t>>{{"vt", 30}, {"cwe", 120}, {"fwe", 50}, {"qa_1", 32}, {"qa_2", 32}})
    EXPECT_EQ(task_of(task).traits().tokens_to_generate, tokens) << task;
}

// Appendix B.3.
TEST(Fwe, CountsOfRanks) {
  const std::vector<int64_t> counts = fwe_counts(3949, INT64_MAX);
  ASSERT_GE(counts.size(), 6u);
  EXPECT_EQ((std::vector<int64_t>{counts.begin(), counts.begin() + 6}), (std::vector<int64_t>{2400, 600, 266, 150, 96, 66}));
  EXPECT_EQ(fwe_counts(3949, 4).size(), 4u);
}

TEST(RulerFixed, SamplesHoldWhatTheyMustAt4kAnd32k) {
  const auto family = open_tokenizer(kFamily), words = open_tokenizer("whitespace");
  for (const std::string& task : kTasks) {
    for (int64_t index = 0; index < 4; ++index) check(make(task, 4096, *family, index), *family, true);
    check(make(task, 4096, *words, 1), *words, false);
    check(make(task, 32768, *family, 5, 7), *family, true);
    check(make(task, 32768, *words, 5, 7), *words, false);
  }
}

TEST(RulerFixed, SamplesHoldWhatTheyMustAtOddLengthsAndInBytes) {
  const auto family = open_tokenizer(kFamily), bytes = open_tokenizer("byte");
  for (const std::string& task : kTasks) {
    check(make(task, 4095, *family), *family, true);
    check(make(task, 5001, *family, 2), *family, true);
    check(make(task, 40000, *bytes, 3), *bytes, true);
  }
}

TEST(RulerFixed, TheSmallestLengthIsSaidAndWorks) {
  const auto family = open_tokenizer(kFamily);
  for (const std::string& task : kTasks) {
    std::string message;
    try {
      make(task, 60, *family);
      FAIL() << task;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      message = error.what();
    }
    const size_t at = message.find("needs at least ");
    ASSERT_NE(at, std::string::npos) << message;
    const int64_t smallest = std::stoll(message.substr(at + 15));
    EXPECT_NO_THROW(make(task, smallest, *family)) << message;
    EXPECT_THROW(make(task, smallest - 1, *family), Error) << message;
  }
}

TEST(RulerFixed, TheSameBytesOnOneAndManyThreads) {
  const auto family = open_tokenizer(kFamily);
  for (const std::string& task : kTasks) {
    std::vector<std::string> one(8), many(8);
    set_num_threads(1);
    parallel_for(8, [&](int64_t i, int) { one[static_cast<size_t>(i)] = make(task, 4096, *family, i).prompt(); });
    set_num_threads(16);
    parallel_for(8, [&](int64_t i, int) { many[static_cast<size_t>(i)] = make(task, 4096, *family, i).prompt(); });
    set_num_threads(0);
    EXPECT_EQ(one, many) << task;
    EXPECT_EQ(std::set<std::string>(one.begin(), one.end()).size(), 8u) << "samples repeat";
    EXPECT_NE(make(task, 4096, *family, 0, 43).prompt(), one[0]) << "the seed does nothing";
  }
}

TEST(RulerFixed, IdsMakeTheSampleAgain) {
  const auto family = open_tokenizer(kFamily);
  for (const std::string& task : kTasks) {
    const Sample sample = make(task, 4096, *family, 3, 9);
    EXPECT_EQ(sample.id, fmt::format("ruler/{}@4096#3!9", task));
    const Sample again = regenerate(sample.id, *family);
    EXPECT_EQ(again.prompt(), sample.prompt());
    EXPECT_EQ(again.outputs, sample.outputs);
  }
}

// Evaluation and training samples share no answer, however many are drawn.
TEST(RulerFixed, SplitsShareNoAnswers) {
  const auto words = open_tokenizer("whitespace");
  for (const std::string& task : kTasks) {
    std::set<std::string> eval, train;
    for (int64_t index = 0; index < 30; ++index) {
      SampleRequest request;
      request.length = 2048;
      request.index = index;
      const Sample one = task_of(task).make_sample(request, *words);
      request.split = Split::kTrain;
      const Sample other = task_of(task).make_sample(request, *words);
      eval.insert(one.outputs.begin(), one.outputs.end());
      train.insert(other.outputs.begin(), other.outputs.end());
    }
    EXPECT_GT(eval.size(), 28u) << task;
    for (const std::string& answer : eval) EXPECT_FALSE(train.contains(answer)) << task << ": " << answer;
  }
}

// No place is preferred: over many samples the evidence lies in every tenth of the prompt (pitfall 4 of spec tasks 5).
TEST(RulerFixed, EvidenceLiesEverywhere) {
  const auto words = open_tokenizer("whitespace");
  for (const std::string& task : kTasks) {
    std::array<int, 10> deciles{};
    for (int64_t index = 0; index < (task.starts_with("qa") ? 80 : 25); ++index)
      for (const Evidence& span : make(task, 8192, *words, index).evidence)
        ++deciles[std::min<size_t>(9, static_cast<size_t>(span.depth * 10))];
    for (size_t d = task == "cwe" ? 1 : 0; d < 10; ++d) EXPECT_GT(deciles[d], 0) << task << " decile " << d;
  }
}

TEST(RulerFixed, ScoresAndTheStricterOne) {
  Sample all, any;
  all.outputs = {"rob", "tin"};
  any.outputs = {"Paris", "London"};
  const Task& cwe = task_of("cwe");
  EXPECT_EQ(cwe.score(all, "1. ROBOT 2. tin").value, 1.0);
  EXPECT_EQ(cwe.score(all, "1. ROBOT 2. tin").diagnostics,
            (std::vector<std::pair<std::string, double>>{{"word_match", 0.5}}));
  const Task& qa = task_of("qa_1");
  EXPECT_EQ(qa.score(any, "in paris.").value, 1.0);
  EXPECT_EQ(qa.score(any, "Rome").value, 0.0);
  EXPECT_EQ(qa.score(any, "parisian").diagnostics[0].second, 0.0);
  EXPECT_EQ(qa.score(any, "(Paris)").diagnostics[0].second, 1.0);
}

// Whole prompts by hash, and their answers (tests/data/tasks/README.md).
TEST(RulerFixed, GoldenSamples) {
  const auto family = open_tokenizer(kFamily);
  std::string made;
  for (const std::string& task : kTasks)
    for (const int64_t length : {4096, 131072}) {
      const Sample sample = make(task, length, *family, 3);
      made += fmt::format("{} {} {:016x}", task, length, stable_hash(sample.prompt()));
      for (const std::string& output : sample.outputs) made += " " + output;
      made += "\n";
    }
  std::ifstream file(SALA_SOURCE_DIR "/tests/data/tasks/ruler_golden.txt");
  const std::string wanted{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(made, wanted);
}

}  // namespace
}  // namespace sala::tasks
