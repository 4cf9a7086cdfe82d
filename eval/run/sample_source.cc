#include "eval/run/sample_source.h"

#include <algorithm>
#include <chrono>

namespace sala::eval {
namespace {

int64_t bytes_of(const tasks::Sample& sample) {
  std::size_t bytes = sizeof sample + sample.input.capacity() + sample.answer_prefix.capacity() +
                      sample.prompt_ids.capacity() * sizeof(int32_t) + sample.turns.capacity() * sizeof(tasks::Turn);
  for (const std::string& output : sample.outputs) bytes += sizeof output + output.capacity();
  for (const tasks::Evidence& span : sample.evidence) bytes += sizeof span + span.key.capacity() + span.value.capacity();
  return static_cast<int64_t>(bytes);
}

}  // namespace

SampleSource::Made SampleSource::make(const Cell& cell, int64_t index) {
  const auto began = std::chrono::steady_clock::now();
  Made made{cell.task->make_sample(plan_.request(cell, index), tokenizer_)};
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const std::lock_guard lock(mutex_);
  ++made_;
  return made;
}

void SampleSource::look(const Cell& cell, int64_t index, const std::function<void(const tasks::Sample&)>& at) {
  const Key key{cell.task, cell.length, index};
  if (const auto found = kept_.find(key); found != kept_.end()) return at(found->second.made.sample);
  Made made = make(cell, index);
  at(made.sample);
  const int64_t bytes = bytes_of(made.sample);
  if (kept_bytes_ + bytes > most_bytes_) return;
  kept_bytes_ += bytes;
  kept_.emplace(key, Kept{std::move(made), bytes, order_++});
}

SampleSource::Made SampleSource::take(const Cell& cell, int64_t index) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = kept_.find({cell.task, cell.length, index}); found != kept_.end()) {
      Made made = std::move(found->second.made);
      kept_bytes_ -= found->second.bytes;
      kept_.erase(found);
      return made;
    }
  }
  return make(cell, index);
}

void SampleSource::drop(const Cell& cell, int64_t index) {
  const auto found = kept_.find({cell.task, cell.length, index});
  if (found == kept_.end()) return;
  kept_bytes_ -= found->second.bytes;
  kept_.erase(found);
}

void SampleSource::keep_at_most(int64_t bytes) {
  most_bytes_ = std::min(most_bytes_, bytes);
  while (kept_bytes_ > most_bytes_ && !kept_.empty()) {
    const auto last = std::max_element(kept_.begin(), kept_.end(),
                                       [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
    kept_bytes_ -= last->second.bytes;
    kept_.erase(last);
  }
}

}  // namespace sala::eval
