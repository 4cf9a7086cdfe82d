// The only thing that the runner knows about a model: ids in, ids out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sala/model/session.h"

namespace sala::eval {

// Everything an engine is told. No task and no reference answer; spans of evidence only in the policy of a user who asked
// for one (--select).
struct EngineRequest {
  std::span<const int32_t> prompt;  // BOS included
  int64_t max_new_tokens = 0;
  SelectionPolicy selection;                             // who chooses blocks
  SessionProbe* probe = nullptr;                         // observes; may be null
  std::function<void(int64_t prompt_tokens)> on_prompt;  // tokens of the prompt read so far; may throw to stop
  std::function<void(int64_t new_tokens)> on_token;      // tokens generated so far; may throw to stop
};

struct EngineAnswer {
  std::vector<int32_t> ids;  // greedy choices; the stop token is left out
  bool stopped = false;      // ended by a stop token rather than by max_new_tokens
  double prefill_seconds = 0, decode_seconds = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual EngineAnswer answer(const EngineRequest& request) = 0;
};

// A Model behind one Session that is reused for every prompt.
class SessionEngine final : public Engine {
 public:
  // Greedy decoding ends at any of `stop_ids`. `model` must outlive the engine.
  SessionEngine(const Model& model, const SessionOptions& options, std::vector<int64_t> stop_ids);
  EngineAnswer answer(const EngineRequest& request) override;

 private:
  Session session_;
  std::vector<int64_t> stop_ids_;
};

}  // namespace sala::eval
