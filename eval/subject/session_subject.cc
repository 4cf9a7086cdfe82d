#include "eval/subject/session_subject.h"

#include <algorithm>

#include "eval/util/clock.h"

namespace sala::eval {
namespace {

// One session that is reused for every question.
class SessionSubject final : public Subject {
 public:
  SessionSubject(const Model& model, const SessionOptions& options, const std::vector<int64_t>& stop_ids)
      : session_(model, options), stop_ids_(stop_ids) {}

  Answer answer(const Question& question) override {
    Answer answer;
    double began = seconds_now();
    session_.reset();
    session_.set_prompt_tokens(static_cast<int64_t>(question.ids.size()));
    session_.set_selection(question.selection);
    session_.set_observer(question.observer);
    session_.prefill(question.ids, question.on_prompt);
    answer.prefill_seconds = seconds_now() - began;
    began = seconds_now();
    while (static_cast<int64_t>(answer.ids.size()) < question.max_new_tokens) {
      const int32_t id = argmax(session_.logits());
      answer.stopped = std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
      if (answer.stopped) break;
      answer.ids.push_back(id);
      if (question.on_token) question.on_token(static_cast<int64_t>(answer.ids.size()));
      if (static_cast<int64_t>(answer.ids.size()) < question.max_new_tokens) session_.decode(id);
    }
    answer.decode_seconds = seconds_now() - began;
    session_.set_observer(nullptr);
    return answer;
  }

 private:
  Session session_;
  const std::vector<int64_t>& stop_ids_;
};

}  // namespace

int64_t sample_bytes(int64_t tokens) { return (int64_t{6} << 20) + 32 * tokens; }

SessionSubjects::SessionSubjects(std::string name, const Model& model, const SessionOptions& options,
                                 std::vector<int64_t> stop_ids, int threads, int64_t memory_bytes)
    : name_(std::move(name)),
      model_(model),
      options_(options),
      stop_ids_(std::move(stop_ids)),
      threads_(threads),
      memory_bytes_(memory_bytes) {}

Capabilities SessionSubjects::capabilities() const {
  Capabilities can;
  can.ids = can.probe = can.selection = true;
  return can;
}

int64_t SessionSubjects::most_at_once(int64_t tokens) const {
  if (options_.device != "cpu") return std::min(kMostOnADevice, kTokensOnADevice / std::max<int64_t>(1, tokens));
  return tokens > kOneACore ? 1 : threads_;
}

int64_t SessionSubjects::at_once(int64_t tokens, int64_t wanted) const {
  for (int64_t count = std::min(wanted, most_at_once(tokens)); count > 1; --count) {
    const MemoryPlan plan = Session::plan(model_.config(), shape(tokens, 0, count));  // the largest of them
    int64_t shared = 0;
    for (const MemoryPlan::Item& item : plan.items) shared += item.name == "weights" ? item.bytes : 0;
    if (shared + count * (plan.total_bytes() - shared + sample_bytes(tokens)) <= memory_bytes_) return count;
  }
  return 1;
}

SessionOptions SessionSubjects::shape(int64_t tokens, int64_t lane, int64_t lanes) const {
  SessionOptions options = options_;
  options.max_tokens = tokens;
  options.threads = static_cast<int>(std::max<int64_t>(1, threads_ / lanes + (lane < threads_ % lanes ? 1 : 0)));
  return options;
}

std::unique_ptr<Subject> SessionSubjects::open(int64_t tokens, int64_t lane, int64_t lanes) {
  return std::make_unique<SessionSubject>(model_, shape(tokens, lane, lanes), stop_ids_);
}

}  // namespace sala::eval
