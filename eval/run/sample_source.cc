#include "eval/run/sample_source.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "eval/util/clock.h"

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
  if (plan_.mode == tasks::Mode::kUpstream) return make_from_stream(cell, index);
  const double began = seconds_now();
  Made made{cell.task->make_sample(plan_.request(cell, index), tokenizer_)};
  made.seconds = seconds_now() - began;
  const std::lock_guard lock(mutex_);
  ++made_;
  return made;
}

// Lanes take neighbours in any order: where an earlier one is still to be taken, the stream begins there, and samples on the
// way to the one asked for are kept for those who will ask for them. A gap in the plan is not bridged.
SampleSource::Made SampleSource::make_from_stream(const Cell& cell, int64_t index) {
  const auto key = [&](int64_t at) { return Key{cell.task, cell.length, at}; };
  const std::vector<int64_t>& planned = cell.samples;
  std::unique_lock lock(mutex_);
  Stream& stream = streams_[{cell.task, cell.length}];
  lock.unlock();
  const std::lock_guard turn(stream.mutex);
  lock.lock();
  if (std::optional<Made> made = take_kept(key(index))) return std::move(*made);
  const auto place = std::lower_bound(planned.begin(), planned.end(), index);
  const auto next = std::lower_bound(planned.begin(), planned.end(), stream.next);
  if (!stream.samples || index < stream.next || place - next != index - stream.next) {
    const auto is_open = [&](int64_t at) { return gone_.count(key(at)) == 0 && kept_.count(key(at)) == 0; };
    stream.samples.reset();
    stream.next = index;
    for (auto at = place; at != planned.begin() && *(at - 1) == stream.next - 1 && is_open(*(at - 1)); --at) --stream.next;
  }
  lock.unlock();
  std::unique_ptr<tasks::SampleStream> samples =
      std::move(stream.samples);  // one that throws may stand anywhere: it is gone
  for (;;) {
    const double began = seconds_now();
    if (!samples) samples = cell.task->open_stream(plan_.request(cell, stream.next), tokenizer_);
    Made made{samples->next()};
    made.seconds = seconds_now() - began;
    const int64_t at = stream.next++;
    const std::lock_guard update(mutex_);
    ++made_;
    if (at == index) {
      if (stream.next <= planned.back()) stream.samples = std::move(samples);
      return made;
    }
    if (gone_.count(key(at)) == 0) keep(key(at), std::move(made));
  }
}

void SampleSource::keep(const Key& key, Made made) {
  Kept kept{std::move(made), 0, order_++};
  kept.bytes = bytes_of(kept.made.sample);
  if (kept_bytes_ + kept.bytes > most_bytes_ && !send_away(kept)) return;
  const int64_t bytes = kept.bytes;
  if (kept_.emplace(key, std::move(kept)).second) kept_bytes_ += bytes;
}

// False where the disk does not take the sample, which then is as it was.
bool SampleSource::send_away(Kept& kept) {
  tasks::Sample& sample = kept.made.sample;
  const std::string_view ids(reinterpret_cast<const char*>(sample.prompt_ids.data()),
                             sample.prompt_ids.size() * sizeof(int32_t));
  const std::optional<int64_t> text_at = spill_.put(sample.input), ids_at = spill_.put(ids);
  if (!text_at || !ids_at) return false;
  kept.away = OnDisk{*text_at, *ids_at, sample.input.size(), sample.prompt_ids.size()};
  sample.input = std::string();
  sample.prompt_ids = std::vector<int32_t>();
  kept.bytes = bytes_of(sample);
  return true;
}

SampleSource::Made SampleSource::restored(Kept kept) const {
  if (kept.away) {
    tasks::Sample& sample = kept.made.sample;
    sample.input.resize(kept.away->text_size);
    spill_.get(kept.away->text_at, sample.input);
    sample.prompt_ids.resize(kept.away->ids_size);
    spill_.get(kept.away->ids_at,
               {reinterpret_cast<char*>(sample.prompt_ids.data()), kept.away->ids_size * sizeof(int32_t)});
  }
  return std::move(kept.made);
}

std::optional<SampleSource::Made> SampleSource::take_kept(const Key& key) {
  const auto found = kept_.find(key);
  if (found == kept_.end()) return std::nullopt;
  Kept kept = std::move(found->second);
  kept_bytes_ -= kept.bytes;
  kept_.erase(found);
  return restored(std::move(kept));
}

void SampleSource::look(const Cell& cell, int64_t index, const std::function<void(const tasks::Sample&)>& at) {
  const Key key{cell.task, cell.length, index};
  if (const auto found = kept_.find(key); found != kept_.end())
    return found->second.away ? at(restored(found->second).sample) : at(found->second.made.sample);
  Made made = make(cell, index);
  at(made.sample);
  keep(key, std::move(made));
}

SampleSource::Made SampleSource::take(const Cell& cell, int64_t index) {
  const Key key{cell.task, cell.length, index};
  {
    const std::lock_guard lock(mutex_);
    if (std::optional<Made> made = take_kept(key)) {
      gone_.insert(key);
      return std::move(*made);
    }
  }
  Made made = make(cell, index);
  const std::lock_guard lock(mutex_);
  gone_.insert(key);
  return made;
}

void SampleSource::drop(const Cell& cell, int64_t index) {
  const Key key{cell.task, cell.length, index};
  gone_.insert(key);
  take_kept(key);
}

void SampleSource::keep_at_most(int64_t bytes) {
  most_bytes_ = std::min(most_bytes_, bytes);
  while (kept_bytes_ > most_bytes_) {
    const auto last = std::max_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
      return std::pair(!a.second.away, a.second.order) < std::pair(!b.second.away, b.second.order);
    });
    if (last == kept_.end() || last->second.away) return;
    kept_bytes_ -= last->second.bytes;
    if (send_away(last->second))
      kept_bytes_ += last->second.bytes;
    else
      kept_.erase(last);
  }
}

}  // namespace sala::eval
