// A task from outside the tree, registered by one call. In a program of its own: the registry is the whole program's.
#include <gtest/gtest.h>

#include <algorithm>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/tasks/training.h"

namespace sala::tasks {
namespace {

// "echo 123" among full stops, to be answered by the number.
class EchoTask final : public Task {
 public:
  explicit EchoTask(std::string name = "echo", std::string group = "toys", std::string subgroup = "")
      : Task(
            {.name = std::move(name), .group = std::move(group), .subgroup = std::move(subgroup), .tokens_to_generate = 8}) {
  }
  Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override {
    Rng rng(request.seed, group() + "/" + name(), static_cast<uint64_t>(request.index));
    Sample sample;
    sample.task = name();
    sample.request = request;
    sample.id = sample_id(*this, request);
    sample.outputs = {std::to_string(rng.between(100, 999))};
    sample.input = "echo " + sample.outputs[0] + " ";
    const int64_t room = request.length - traits().tokens_to_generate - static_cast<int64_t>(sample.input.size());
    if (room < 0) throw Error(ErrorCode::kUsage, "{}: length {} is too small", name(), request.length);
    sample.input.append(static_cast<size_t>(room), '.');
    sample.prompt_ids = tokenizer.encode(sample.input);
    sample.tokens_to_generate = traits().tokens_to_generate;
    return sample;
  }
  Score score(const Sample& sample, std::string_view answer) const override {
    return {answer == sample.outputs[0] ? 1.0 : 0.0, {{"bytes", static_cast<double>(answer.size())}}};
  }
};

class UpperRows final : public TrainingRows {
 public:
  std::string answer(const Task&, const Sample& sample) const override { return "= " + sample.outputs[0]; }
};

std::string refusal(std::unique_ptr<const Task> task) {
  const size_t before = all_tasks().size();
  try {
    register_task(std::move(task));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_EQ(all_tasks().size(), before);
    return error.what();
  }
  return "";
}

std::string learned(const TrainingRow& row, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < row.ids.size() && (ids.empty() || row.mask[i] != 0); ++i)
    if (row.mask[i] != 0) ids.push_back(row.ids[i]);
  ids.pop_back();  // EOS
  return tokenizer.decode(ids);
}

class RegisterTask : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    register_task(std::make_unique<EchoTask>());
    register_task(std::make_unique<EchoTask>("echo_twice", "toys", "echoes"), std::make_unique<UpperRows>());
  }
  const std::unique_ptr<Tokenizer> bytes_ = open_tokenizer("byte");
};

TEST_F(RegisterTask, StandsLastInTheRegistryAndInLists) {
  EXPECT_EQ(all_tasks().back()->name(), "echo_twice");
  EXPECT_EQ(resolve_tasks("toys").size(), 2u);
  EXPECT_EQ(resolve_tasks("echoes,echo,vt").size(), 3u);
  EXPECT_EQ(resolve_tasks("toys")[0], find_task("echo"));
  try {
    resolve_tasks("ecko");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("near it: echo"), std::string::npos) << error.what();
  }
}

TEST_F(RegisterTask, WhatIsLeftEmptyFollowsFromTheRest) {
  const TaskTraits& traits = find_task("echo")->traits();
  EXPECT_EQ(traits.benchmark, "toys");
  EXPECT_EQ(traits.lm_eval_name, "echo");
  EXPECT_EQ(traits.training.name, "echo");
  EXPECT_EQ(traits.training.figure, "exact");
  EXPECT_TRUE(traits.fits_length(Mode::kFixed) && traits.fits_length(Mode::kUpstream));
}

TEST_F(RegisterTask, ItsSamplesAreMadeAgainByTheirId) {
  const Sample sample = find_task("echo")->make_sample({.length = 64, .seed = 7, .index = 3}, *bytes_);
  EXPECT_EQ(sample.id, "toys/echo@64#3!7");
  EXPECT_EQ(regenerate(sample.id, *bytes_).prompt(), sample.prompt());
  EXPECT_EQ(find_task("echo")->score(sample, sample.outputs[0]).value, 1.0);
  const auto stream = find_task("echo")->open_stream({.length = 64, .seed = 7, .index = 2}, *bytes_);
  stream->next();
  EXPECT_EQ(stream->next().prompt(), sample.prompt());
}

TEST_F(RegisterTask, IsTaughtBySamplesUnlessItSaysOtherwise) {
  TrainingRequest request;
  request.row_tokens = 100;
  request.as_evaluated = true;
  request.mix = {{"echo", 1}};
  EXPECT_EQ(learned(make_training_row(request, 0, *bytes_), *bytes_).size(), 3u);
  request.mix = {{"echo_twice", 1}};
  EXPECT_EQ(learned(make_training_row(request, 0, *bytes_), *bytes_).substr(0, 2), "= ");
}

TEST_F(RegisterTask, RefusesNamesThatAreTakenOrCannotStandInAnId) {
  const auto refused = [](const char* name, const char* group = "toys", const char* subgroup = "") {
    return refusal(std::make_unique<EchoTask>(name, group, subgroup));
  };
  EXPECT_NE(refused("echo").find("'echo' of task 'echo' already means task 'echo' of group 'toys'"), std::string::npos);
  for (const char* name : {"vt", "niah", "ruler", "mrcr", "toys", "echoes", "nolima_user", "mrcr_official_2"})
    EXPECT_NE(refused(name, "games"), "") << name;
  for (const char* name : {"", "a b", "a/b", "a,b", "a@1", "a#1", "a!1", "a~b", "..", "-a"}) {
    EXPECT_NE(refused(name), "") << name;
    EXPECT_NE(refused("new", name), "") << name;
  }
  for (const char* group : {"ruler", "nolima", "mrcr", "niah", "echo", "echoes"})
    EXPECT_NE(refused("new", group), "") << group;
  EXPECT_NE(refused("new", "games", "echoes"), "") << "of another group";
  EXPECT_NE(refused("new", "toys", "echo"), "");
  EXPECT_NE(refused("new", "games", "ruler"), "");
}

}  // namespace
}  // namespace sala::tasks
