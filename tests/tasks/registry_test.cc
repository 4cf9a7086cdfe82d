#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::tasks {
namespace {

std::vector<std::string> names(const std::string& list) {
  std::vector<std::string> out;
  for (const Task* task : resolve_tasks(list)) out.emplace_back(task->name());
  return out;
}

std::string refusal(const std::string& list) {
  try {
    resolve_tasks(list);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(Registry, BenchmarkOrderAndEveryTaskOnce) {
  const std::vector<std::string> ruler = {"niah_single_1",
                                          "niah_single_2",
                                          "niah_single_3",
                                          "niah_multikey_1",
                                          "niah_multikey_2",
                                          "niah_multikey_3",
                                          "niah_multivalue",
                                          "niah_multiquery",
                                          "vt",
                                          "cwe",
                                          "fwe",
                                          "qa_1",
                                          "qa_2"};
  EXPECT_EQ(names("ruler"), ruler);
  EXPECT_EQ(names("niah"), (std::vector<std::string>{ruler.begin(), ruler.begin() + 8}));
  std::set<std::string_view> seen;
  for (const Task* task : all_tasks()) {
    EXPECT_TRUE(seen.insert(task->name()).second) << task->name();
    EXPECT_FALSE(task->group().empty());
    EXPECT_FALSE(task->traits().description.empty());
    EXPECT_GT(task->traits().tokens_to_generate, 0);
  }
}

TEST(Registry, ListsKeepTheOrderAskedAndNameEachTaskOnce) {
  EXPECT_EQ(names("vt,niah_single_2,vt"), (std::vector<std::string>{"vt", "niah_single_2"}));
  EXPECT_EQ(names("niah_multiquery,niah").size(), 8u);
  EXPECT_EQ(names("niah_multiquery,niah")[0], "niah_multiquery");
}

TEST(Registry, AnUnknownNameListsTheNearOnes) {
  EXPECT_NE(refusal("niah_singel_1").find("near it: niah_single_1"), std::string::npos) << refusal("niah_singel_1");
  EXPECT_NE(refusal("rulr").find("ruler"), std::string::npos);
  EXPECT_NE(refusal("vt,niah_multkey_2").find("'niah_multkey_2'; near it: niah_multikey_2"), std::string::npos);
  EXPECT_NE(refusal("nia").find("niah"), std::string::npos);
  for (const char* list : {"", ",", "vt,", "NIAH", "niah_single_1 "}) EXPECT_NE(refusal(list), "") << list;
}

TEST(SampleId, CarriesWhatMakesTheSample) {
  const Task& task = *resolve_tasks("niah_single_1")[0];
  SampleRequest request;
  request.length = 131072;
  request.index = 37;
  EXPECT_EQ(sample_id(task, request), "ruler/niah_single_1@131072#37!42");
  request.split = Split::kTrain;
  EXPECT_EQ(sample_id(task, request), "ruler/niah_single_1@131072#37!42~train");
  request.mode = Mode::kUpstream;
  EXPECT_EQ(sample_id(task, request), "ruler/niah_single_1@131072#37!42~train~upstream");
  request.seed = ~uint64_t{0};
  request.split = Split::kEval;
  EXPECT_EQ(sample_id(task, request), "ruler/niah_single_1@131072#37!18446744073709551615~upstream");
}

TEST(SampleId, RegeneratesTheSample) {
  const auto words = open_tokenizer("whitespace");
  for (const Split split : {Split::kEval, Split::kTrain}) {
    SampleRequest request;
    request.length = 700;
    request.seed = ~uint64_t{0};
    request.index = int64_t{1} << 40;
    request.split = split;
    const Sample sample = resolve_tasks("niah_multivalue")[0]->make_sample(request, *words);
    const Sample again = regenerate(sample.id, *words);
    EXPECT_EQ(again.id, sample.id);
    EXPECT_EQ(again.prompt(), sample.prompt());
    EXPECT_EQ(again.outputs, sample.outputs);
  }
}

TEST(SampleId, IsReadStrictly) {
  const auto words = open_tokenizer("whitespace");
  for (const char* id :
       {"", "niah_single_1@4096#0!42", "ruler/niah_single_1", "ruler/niah_single_1@4096#0", "ruler/niah_single_1@4096!0#42",
        "ruler/niah_single_1@4k#0!42", "ruler/niah_single_1@4096#-1!42", "ruler/niah_single_1@4096#0!42x",
        "ruler/niah_single_1@4096#0!", "ruler/niah_single_1@ 4096#0!42", "ruler/niah_single_1@4096#0!42~eval",
        "ruler/niah_single_1@4096#0!99999999999999999999", "nolima/niah_single_1@4096#0!42", "ruler/niah@4096#0!42",
        "ruler/ruler@4096#0!42", "x/y/niah_single_1@4096#0!42"}) {
    try {
      regenerate(id, *words);
      ADD_FAILURE() << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << id;
    }
  }
}

}  // namespace
}  // namespace sala::tasks
