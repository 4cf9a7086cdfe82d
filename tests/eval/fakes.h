// A task and subjects without a model, so that the runner can be watched.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "eval/spec/plan.h"
#include "eval/subject/subject.h"
#include "sala/tasks/task.h"

namespace sala::eval {

// The prompt is "<index> <filler ...>"; the right answer is the index in words of the byte tokenizer.
class FakeTask : public tasks::Task {
 public:
  explicit FakeTask(std::string name = "fake", std::string group = "fakes", std::string aggregate = "")
      : Task({.name = std::move(name),
              .group = std::move(group),
              .description = "a task for tests",
              .tokens_to_generate = 8,
              .aggregate = std::move(aggregate)}) {}
  tasks::Sample make_sample(const tasks::SampleRequest& request, const Tokenizer& tokenizer) const override {
    tasks::Sample sample;
    sample.id = tasks::sample_id(*this, request);
    sample.task = name();
    sample.request = request;
    sample.input = fmt::format("{} ", request.index);
    sample.input.resize(static_cast<size_t>(request.length - traits().tokens_to_generate), '.');
    sample.outputs = {std::to_string(request.index)};
    sample.evidence = {{0, 1, 0.0, "key", sample.outputs[0]}, {20, 50, 0.5, "other", "x"}};
    sample.prompt_ids = tokenizer.encode(sample.prompt());
    sample.tokens_to_generate = traits().tokens_to_generate;
    return sample;
  }
  tasks::Score score(const tasks::Sample& sample, std::string_view answer) const override {
    return {answer.find(sample.outputs[0]) != std::string_view::npos ? 1.0 : 0.0,
            {{"answer_bytes", static_cast<double>(answer.size())}}};
  }
};

// What the fake subjects were asked. They may be asked side by side.
struct Asked {
  int calls = 0;
  std::vector<std::vector<int32_t>> prompts;
  std::vector<int64_t> budgets;
  std::vector<SelectionPolicy> selections;
  std::function<void(int call)> before_answer;  // may throw
  std::mutex mutex;
};

// Reads the number at the start of the prompt back, wrongly for odd ones; reports a selection like a sparse layer would.
class FakeSubject final : public Subject {
 public:
  FakeSubject(Asked& asked, int32_t prefix) : asked_(asked), prefix_(prefix) {}
  Answer answer(const Question& question) override {
    int call = 0;
    {
      const std::lock_guard lock(asked_.mutex);
      call = ++asked_.calls;
    }
    if (asked_.before_answer) asked_.before_answer(call);
    {
      const std::lock_guard lock(asked_.mutex);
      asked_.prompts.emplace_back(question.ids.begin(), question.ids.end());
      asked_.budgets.push_back(question.max_new_tokens);
      asked_.selections.push_back(question.selection);
    }
    Answer answer;
    if (question.on_prompt) question.on_prompt(static_cast<int64_t>(question.ids.size()));
    const auto skip = static_cast<size_t>(prefix_);
    for (size_t i = skip; question.ids[i] >= '0' && question.ids[i] <= '9'; ++i) answer.ids.push_back(question.ids[i]);
    if ((answer.ids.back() - '0') % 2 == 1) answer.ids = {'?'};
    answer.stopped = true;
    answer.prefill_seconds = 0.5;
    answer.decode_seconds = 0.25;
    if (question.observer != nullptr)
      report(*question.observer, static_cast<int64_t>(question.ids.size()), answer.ids.size());
    if (question.on_token) question.on_token(1);
    return answer;
  }

  // Layers 1 and 4, two KV heads, three slots of 16 tokens: the newest blocks; head 1 of layer 4 reads block 0 as well.
  static void report(Observer& observer, int64_t prompt, size_t answers) {
    const std::vector<std::string> sites = observer.sites();
    const int64_t block_size = 16;
    for (const int layer : {1, 4})
      for (int64_t position = 0; position < prompt + static_cast<int64_t>(answers); ++position) {
        const Taps taps(&observer, sites, layer);
        if (!taps.wants(site::kBlockScores, position)) continue;
        const auto own = static_cast<int32_t>(position / 16);
        std::vector<int32_t> blocks = {own - 2, own - 1, own, own - 2, own - 1, own};
        if (layer == 4) blocks[3] = 0;
        std::vector<float> scores(2 * static_cast<size_t>(own + 1));
        for (int32_t b = 0; b <= own; ++b)
          scores[static_cast<size_t>(b)] = scores[static_cast<size_t>(own + 1 + b)] = static_cast<float>(b);
        if (layer == 4) scores[static_cast<size_t>(own + 1)] = 1e6f;
        taps.tell(site::kBlockScores, position,
                  {TapView("blocks", {"kv_head", "slot"}, make_view(blocks.data(), 2, 3)),
                   TapView("scores", {"kv_head", "block"}, make_view(scores.data(), 2, own + 1)),
                   TapView("block_size", block_size)});
      }
  }

 private:
  Asked& asked_;
  int32_t prefix_;
};

class FakeSubjects final : public Subjects, public Asked {
 public:
  explicit FakeSubjects(int32_t prefix = 0, int64_t side_by_side = 1) : prefix_(prefix), side_by_side_(side_by_side) {
    can.ids = can.probe = can.selection = true;
  }
  std::string name() const override { return "fake"; }
  Capabilities capabilities() const override { return can; }
  int64_t at_once(int64_t, int64_t wanted) const override { return std::min(wanted, side_by_side_); }
  std::unique_ptr<Subject> open(int64_t, int64_t, int64_t) override { return std::make_unique<FakeSubject>(*this, prefix_); }
  Capabilities can;

 private:
  int32_t prefix_;
  int64_t side_by_side_;
};

inline ModelConfig fake_config() {
  ModelConfig config;
  config.vocab_size = 260;
  config.hidden_size = config.intermediate_size = 32;
  config.num_attention_heads = 2;
  config.mixer_types = layer_map_from_string("SLLLS");
  config.num_hidden_layers = 5;
  config.bos_token_id = 1;
  config.resolve();
  config.validate();
  return config;
}

inline RunPlan fake_plan(const tasks::Task& task, int64_t samples = 6) {
  RunPlan plan;
  plan.model_name = "fake";
  plan.weights_hash = "0123456789abcdef";
  plan.model = fake_config();
  plan.tokenizer_kind = "byte";
  plan.probe_answers = true;
  plan.prefix = {1};
  std::vector<int64_t> indexes;
  for (int64_t i = 0; i < samples; ++i) indexes.push_back(i);
  plan.cells = {{&task, 256, indexes}, {&task, 512, {2, 5, 40}}};
  return plan;
}

}  // namespace sala::eval
