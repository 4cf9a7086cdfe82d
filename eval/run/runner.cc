#include "eval/run/runner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>

#include "eval/observe/statistic.h"
#include "eval/run/checks.h"
#include "eval/run/lanes.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

constexpr int64_t kMostAtOnce = 4096;  // samples, where the subjects can

struct Pending {
  const Cell* cell = nullptr;
  int64_t index = 0, number = 0;  // number: from 1, in the cell
};

// Samples that follow each other in the plan and are answered by the same number of subjects.
struct Stage {
  std::vector<Pending> samples;
  int64_t at_once = 1, tokens = 0;
};

std::vector<Stage> stages_of(const Job& job) {
  std::vector<Stage> stages;
  for (const Cell& cell : job.plan.cells) {
    const int64_t tokens = job.plan.most_tokens(cell), at_once = job.subjects.at_once(tokens, kMostAtOnce);
    for (std::size_t i = 0; i < cell.samples.size(); ++i) {
      if (const SampleRecord* done = job.directory.find(cell, cell.samples[i])) {
        job.progress.skip(cell, done->score);
        job.samples.drop(cell, cell.samples[i]);
        continue;
      }
      if (stages.empty() || stages.back().at_once != at_once) stages.push_back({{}, at_once});
      stages.back().samples.push_back({&cell, cell.samples[i], static_cast<int64_t>(i) + 1});
      stages.back().tokens = std::max(stages.back().tokens, tokens);
    }
  }
  return stages;
}

// A model's vocabulary may be larger than its tokenizer's; ids beyond it have no text.
std::string decode_known(const Tokenizer& tokenizer, std::vector<int32_t> ids) {
  std::erase_if(ids, [&](int32_t id) { return id >= tokenizer.vocab_size(); });
  return tokenizer.decode(ids);
}

SampleRecord record_of(const RunPlan& plan, const Tokenizer& tokenizer, const Cell& cell, int64_t index,
                       const SampleSource::Made& made, const Answer& answer) {
  const tasks::Sample& sample = made.sample;
  const tasks::Task& task = *cell.task;
  SampleRecord record;
  record.task = task.name();
  record.length = cell.length;
  record.index = index;
  record.id = sample.id;
  if (plan.select != SelectBy::kLearned) record.select = select_name(plan.select);
  record.answer = answer.text ? *answer.text : decode_known(tokenizer, answer.ids);
  tasks::Score scored = task.score(sample, record.answer);
  record.score = scored.value;
  if (!(record.score >= 0 && record.score <= 1))
    throw Error(ErrorCode::kInternal, "sample '{}' scored {}, expected 0 to 1", sample.id, record.score);
  for (const auto& [name, value] : scored.diagnostics)
    if (!std::isfinite(value))
      throw Error(ErrorCode::kInternal, "sample '{}': diagnostic '{}' is no finite number", sample.id, name);
  record.diagnostics = std::move(scored.diagnostics);
  record.answer_ids = answer.ids;
  record.stopped = answer.stopped;
  record.expected = sample.outputs;
  record.evidence = sample.evidence;
  record.prompt_tokens = static_cast<int64_t>(sample.prompt_ids.size());
  record.tokens_to_generate = sample.tokens_to_generate;
  record.timing = {made.seconds, answer.prefill_seconds, answer.decode_seconds};
  return record;
}

Watch watch_of(const RunPlan& plan, const tasks::Sample& sample, int64_t prompt_tokens) {
  Watch watch;
  const auto prefix = static_cast<int64_t>(plan.prefix.size());
  for (const tasks::Evidence& span : sample.evidence)
    watch.evidence.emplace_back(span.token_begin + prefix, span.token_end + prefix);
  watch.prompt_tokens = prompt_tokens;
  watch.layers = plan.model.num_hidden_layers;
  return watch;
}

// One sample in one lane: made, answered, scored, and on the disk when this returns.
SampleRecord run_sample(const Job& job, const Pending& pending, int lane, Subject& subject,
                        const std::function<void()>& check) {
  if (job.check_stop) job.check_stop();
  job.progress.begin_sample(lane, *pending.cell, pending.number, static_cast<int64_t>(pending.cell->samples.size()));
  const auto go_on = [&] {
    check();
    if (job.check_stop) job.check_stop();
  };
  AnswerHooks hooks;
  hooks.on_prompt = [&](int64_t done, int64_t total) {
    job.progress.prompt(lane, done, total);
    go_on();
  };
  hooks.on_token = [&](int64_t generated) {
    job.progress.token(lane, generated);
    go_on();
  };
  const SampleSource::Made made = job.samples.take(*pending.cell, pending.index);
  Answered answered = answer_sample(job.plan, job.tokenizer, *pending.cell, pending.index, made, subject, hooks);
  SampleRecord& record = answered.record;
  job.directory.write(record, answered.arrays);
  job.progress.end_sample(lane, record.score, record.prompt_tokens + static_cast<int64_t>(record.answer_ids.size()),
                          record.timing.engine_seconds());
  return std::move(record);
}

void run_stage(const Job& job, const Stage& stage, const std::function<void(const Cell&)>& on_cell) {
  const auto items = static_cast<int64_t>(stage.samples.size());
  const int64_t lanes = std::min(stage.at_once, items);
  std::vector<std::unique_ptr<Subject>> subjects;
  for (int64_t lane = 0; lane < lanes; ++lane) subjects.push_back(job.subjects.open(stage.tokens, lane, lanes));
  std::map<const Cell*, int64_t> left;  // samples of each cell
  for (const Pending& pending : stage.samples) ++left[pending.cell];
  run_lanes(lanes, items, [&](int lane, int64_t item, const std::function<void()>& check) -> Delivery {
    const Pending& pending = stage.samples[static_cast<std::size_t>(item)];
    auto record =
        std::make_shared<SampleRecord>(run_sample(job, pending, lane, *subjects[static_cast<std::size_t>(lane)], check));
    return [&job, &on_cell, &left, &pending, record] {
      job.directory.add(std::move(*record));
      if (--left[pending.cell] > 0) return;
      job.progress.end_cell(*pending.cell);
      if (on_cell) on_cell(*pending.cell);
    };
  });
}

}  // namespace

Answered answer_sample(const RunPlan& plan, const Tokenizer& tokenizer, const Cell& cell, int64_t index,
                       const SampleSource::Made& made, Subject& subject, const AnswerHooks& hooks) {
  const auto prefix = static_cast<int64_t>(plan.prefix.size());
  const tasks::Sample& sample = made.sample;
  std::vector<int32_t> ids = plan.prefix;
  ids.insert(ids.end(), sample.prompt_ids.begin(), sample.prompt_ids.end());
  if (ids.empty()) throw Error(ErrorCode::kInternal, "sample '{}' has an empty prompt", sample.id);
  const auto prompt_tokens = static_cast<int64_t>(ids.size());
  check_select(plan.select, plan.model_name, plan.model, prompt_tokens);
  std::optional<SampleObserver> observer;
  if (plan.probe_answers) observer.emplace(watch_of(plan, sample, prompt_tokens));
  const std::string text = sample.prompt();
  Question question;
  question.ids = ids;
  question.text = text;
  question.messages = sample.messages();
  question.max_new_tokens = sample.tokens_to_generate;
  question.selection = policy_for(plan.select, sample, prefix, plan.seed);
  question.observer = observer ? &*observer : nullptr;
  if (hooks.on_prompt) question.on_prompt = [&](int64_t done) { hooks.on_prompt(done, prompt_tokens); };
  question.on_token = hooks.on_token;
  const Answer answer = subject.answer(question);
  Answered answered{record_of(plan, tokenizer, cell, index, made, answer), {}};
  Findings found = observer ? observer->take() : Findings();
  answered.record.figures = std::move(found.figures);
  answered.arrays = std::move(found.arrays);
  return answered;
}

void run_samples(const Job& job, const std::function<void(const Cell&)>& on_cell) {
  for (const Stage& stage : stages_of(job)) run_stage(job, stage, on_cell);
}

}  // namespace sala::eval
