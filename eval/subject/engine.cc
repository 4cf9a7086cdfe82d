#include "eval/subject/engine.h"

#include <algorithm>
#include <chrono>

namespace sala::eval {
namespace {

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

SessionEngine::SessionEngine(const Model& model, const SessionOptions& options, std::vector<int64_t> stop_ids)
    : session_(model, options), stop_ids_(std::move(stop_ids)) {}

EngineAnswer SessionEngine::answer(const EngineRequest& request) {
  EngineAnswer answer;
  auto began = std::chrono::steady_clock::now();
  session_.reset();
  session_.set_prompt_tokens(static_cast<int64_t>(request.prompt.size()));
  session_.set_selection(request.selection);
  session_.set_probe(request.probe);
  session_.prefill(request.prompt, request.on_prompt);
  answer.prefill_seconds = seconds_since(began);
  began = std::chrono::steady_clock::now();
  while (static_cast<int64_t>(answer.ids.size()) < request.max_new_tokens) {
    const int32_t id = argmax(session_.logits());
    answer.stopped = std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
    if (answer.stopped) break;
    answer.ids.push_back(id);
    if (request.on_token) request.on_token(static_cast<int64_t>(answer.ids.size()));
    if (static_cast<int64_t>(answer.ids.size()) < request.max_new_tokens) session_.decode(id);
  }
  answer.decode_seconds = seconds_since(began);
  session_.set_probe(nullptr);
  return answer;
}

}  // namespace sala::eval
