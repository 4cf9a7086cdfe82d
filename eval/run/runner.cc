#include "eval/run/runner.h"

#include <chrono>

#include "sala/core/error.h"

namespace sala::eval {
namespace {

// A model's vocabulary may be larger than its tokenizer's; ids beyond it have no text.
std::string decode_known(const Tokenizer& tokenizer, std::vector<int32_t> ids) {
  std::erase_if(ids, [&](int32_t id) { return id >= tokenizer.vocab_size(); });
  return tokenizer.decode(ids);
}

void run_sample(const RunPlan& plan, const Cell& cell, int64_t index, const RunnerParts& parts) {
  const auto began = std::chrono::steady_clock::now();
  const tasks::Sample sample = cell.task->make_sample(plan.request(cell, index), parts.tokenizer);
  SampleRecord record;
  record.timing.make_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();

  std::vector<int32_t> prompt = plan.prefix;
  prompt.insert(prompt.end(), sample.prompt_ids.begin(), sample.prompt_ids.end());
  if (prompt.empty()) throw Error(ErrorCode::kInternal, "sample '{}' has an empty prompt", sample.id);
  const auto prompt_tokens = static_cast<int64_t>(prompt.size());
  check_select(plan.select, plan.model_name, plan.model, prompt_tokens);
  AnswerProbe probe(sample.evidence, static_cast<int64_t>(plan.prefix.size()), prompt_tokens);
  EngineRequest request;
  request.prompt = prompt;
  request.max_new_tokens = sample.tokens_to_generate;
  request.selection = policy_for(plan.select, sample, static_cast<int64_t>(plan.prefix.size()), plan.seed);
  request.probe = plan.probe_answers ? &probe : nullptr;
  request.on_prompt = [&](int64_t done) {
    parts.progress.prompt(done, prompt_tokens);
    if (parts.check_stop) parts.check_stop();
  };
  request.on_token = [&](int64_t generated) {
    parts.progress.token(generated);
    if (parts.check_stop) parts.check_stop();
  };
  EngineAnswer answer = parts.engine.answer(request);

  record.task = cell.task->name();
  record.length = cell.length;
  record.index = index;
  record.id = sample.id;
  if (plan.select != SelectBy::kLearned) record.select = select_name(plan.select);
  record.answer = decode_known(parts.tokenizer, answer.ids);
  tasks::Score scored = cell.task->score(sample, record.answer);
  record.score = scored.value;
  if (!(record.score >= 0 && record.score <= 1))
    throw Error(ErrorCode::kInternal, "sample '{}' scored {}, expected 0 to 1", sample.id, record.score);
  record.diagnostics = std::move(scored.diagnostics);
  record.answer_ids = std::move(answer.ids);
  record.stopped = answer.stopped;
  record.expected = sample.outputs;
  record.evidence = sample.evidence;
  record.prompt_tokens = static_cast<int64_t>(sample.prompt_ids.size());
  record.tokens_to_generate = sample.tokens_to_generate;
  record.timing.prefill_seconds = answer.prefill_seconds;
  record.timing.decode_seconds = answer.decode_seconds;
  const double score = record.score, seconds = record.timing.engine_seconds();
  const int64_t tokens = record.prompt_tokens + static_cast<int64_t>(record.answer_ids.size());
  const Selection selection = probe.take();
  parts.directory.append(std::move(record), plan.probe_answers ? &selection : nullptr);
  parts.progress.end_sample(score, tokens, seconds);
}

}  // namespace

void run_samples(const RunPlan& plan, const RunnerParts& parts) {
  for (const Cell& cell : plan.cells)
    for (const int64_t index : cell.samples)
      if (parts.directory.has(cell, index)) parts.progress.skip(cell);
  for (const Cell& cell : plan.cells) {
    parts.progress.begin_cell();
    const auto count = static_cast<int64_t>(cell.samples.size());
    bool ran = false;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t index = cell.samples[static_cast<std::size_t>(i)];
      if (parts.directory.has(cell, index)) continue;
      if (parts.check_stop) parts.check_stop();
      parts.progress.begin_sample(cell, i + 1, count);
      run_sample(plan, cell, index, parts);
      ran = true;
    }
    if (ran && parts.on_cell) parts.on_cell(cell);
  }
}

}  // namespace sala::eval
