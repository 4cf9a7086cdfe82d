// vt, cwe, fwe, qa_1 and qa_2 at a million and two million tokens.
#include <gtest/gtest.h>

#include "tests/tasks/ruler/ruler_check.h"

namespace sala::tasks {
namespace {

void check(const std::string& task, int64_t length, const Tokenizer& tokenizer, bool decodes) {
  SampleRequest request;
  request.length = length;
  const Sample sample = task_of(task).make_sample(request, tokenizer);
  SCOPED_TRACE(sample.id);
  check_frame(sample, tokenizer, decodes, 0.999);
  if (task == "vt") check_vt(sample);
  if (task == "cwe") check_cwe(sample, 30, 3);
  if (task == "fwe") check_fwe(sample);
  if (task == "qa_1") check_qa(sample, 1);
  if (task == "qa_2") check_qa(sample, 2);
}

TEST(RulerLong, AMillionTokens) {
  const auto family = open_tokenizer(SALA_SOURCE_DIR "/models/tokenizer.model");
  for (const char* task : {"vt", "cwe", "fwe", "qa_1", "qa_2"}) check(task, 1000000, *family, true);
}

TEST(RulerLong, TwoMillionTokens) {
  const auto family = open_tokenizer(SALA_SOURCE_DIR "/models/tokenizer.model"), words = open_tokenizer("whitespace");
  for (const char* task : {"vt", "cwe", "fwe", "qa_1", "qa_2"}) {
    check(task, 2097152, *family, true);
    check(task, 2097152, *words, false);  // 350,000 distinct words in cwe: upstream's list ends before
  }
}

}  // namespace
}  // namespace sala::tasks
