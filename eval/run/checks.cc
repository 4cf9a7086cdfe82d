#include "eval/run/checks.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/mixers/mixer.h"

namespace sala::eval {
namespace {

void check_lengths(const RunPlan& plan, SampleSource& samples) {
  constexpr int64_t kSurelyEnough = 16384;
  for (const Cell& cell : plan.cells)
    if (cell.length < kSurelyEnough) samples.look(cell, cell.samples[0], [](const tasks::Sample&) {});
}

// Prompts are shorter than the length and differ by some tokens: where dense_len is near them, every sample is asked, else
// the first of a cell.
void check_policy(const RunPlan& plan, SampleSource& samples) {
  if (plan.select == SelectBy::kLearned) return;
  const auto shift = static_cast<int64_t>(plan.prefix.size());
  const int64_t dense_len = selects_from(plan.model).value_or(0);
  check_select(plan.select, plan.model_name, plan.model, dense_len);  // whether any layer selects, before samples are made
  if (plan.select == SelectBy::kRandom && dense_len <= 0) return;
  for (const Cell& cell : plan.cells) {
    const bool near = dense_len > cell.length / 4 || !cell.task->traits().fits_length(plan.mode);
    for (const int64_t index : cell.samples) {
      samples.look(cell, index, [&](const tasks::Sample& sample) {
        check_select(plan.select, plan.model_name, plan.model, shift + static_cast<int64_t>(sample.prompt_ids.size()));
        policy_for(plan.select, sample, shift, plan.seed);
      });
      if (!near) break;
    }
  }
}

}  // namespace

void measure_samples(RunPlan& plan, SampleSource& samples) {
  for (Cell& cell : plan.cells) {
    if (cell.task->traits().fits_length(plan.mode)) continue;
    for (const int64_t index : cell.samples)
      samples.look(cell, index, [&](const tasks::Sample& sample) {
        cell.most_tokens =
            std::max(cell.most_tokens, static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate);
      });
  }
}

void check_samples(const RunPlan& plan, SampleSource& samples) {
  check_lengths(plan, samples);
  check_policy(plan, samples);
}

void check_subject(const RunPlan& plan, const Subjects& subjects) {
  const Capabilities can = subjects.capabilities();
  if (plan.probe_answers && !can.probe)
    throw Error(ErrorCode::kUnsupported, "--probe answer: the layers of {} cannot be watched; give --probe none",
                subjects.name());
  if (plan.select != SelectBy::kLearned && !can.selection)
    throw Error(ErrorCode::kUnsupported, "--select {}: {} cannot be told which blocks to read; leave it out",
                select_name(plan.select), subjects.name());
  if (can.ids || can.text) return;
  for (const Cell& cell : plan.cells)
    if (!can.messages || !cell.task->traits().needs_messages)
      throw Error(ErrorCode::kUnsupported, "{}: {} takes neither ids nor text{}", cell.task->name(), subjects.name(),
                  can.messages ? ", and the task is no chat" : "");
}

}  // namespace sala::eval
