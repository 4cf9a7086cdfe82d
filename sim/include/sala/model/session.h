// Runs one token sequence through a model: chunked prefill, decode, caches, memory plan.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sala/core/numerics.h"
#include "sala/core/parallel.h"
#include "sala/core/tensor.h"
#include "sala/model/model.h"
#include "sala/model/selection_policy.h"
#include "sala/model/tap.h"

namespace sala {

struct SessionOptions {
  int64_t max_tokens = 0;    // capacity of the caches: prompt (with BOS) + generated
  int64_t chunk_tokens = 0;  // prefill chunk; 0 = chosen from max_tokens. Never changes the result
  Numerics numerics = Numerics::kFp32;
  std::string device = "cpu";    // cpu, cuda: whose memory and kernels are used
  std::string kernels = "best";  // name from available_kernels()
  int threads = 0;               // of the session's own pool; 0 = num_threads(). Never changes the result
  // In place of an own one; not owned, and other sessions that use it at the same time run serially. Its thread count holds.
  ThreadPool* pool = nullptr;
  // Leaves out, in the last layer, what only the logits of earlier positions would need. Never changes a byte of the result.
  bool prune = true;
};

struct MemoryPlan {
  struct Item {
    std::string name;  // "weights", those of the mixers' states ("kv cache", ...), "activations", "workspace"
    int64_t bytes = 0;
  };
  std::vector<Item> items;
  int64_t chunk_tokens = 0;
  int64_t total_bytes() const;
};

class Session {
 public:
  // Allocates everything that the run needs. Throws Error{kMemory} or Error{kConfig}.
  Session(const Model& model, const SessionOptions& options);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // What a session with these options would allocate; allocates nothing itself.
  static MemoryPlan plan(const ModelConfig& config, const SessionOptions& options);

  // Forgets the sequence, keeps the memory.
  void reset();
  // Total length of the prompt that the next prefill calls will make up. The dense_len rule looks at it (spec 4.1), so that
  // any split of a prompt into prefill calls takes the same path as one call. Default: what has been fed so far.
  void set_prompt_tokens(int64_t total);
  // Feeds ids (BOS is the caller's) after what was fed before. Any split into calls gives the same bytes.
  // Throws Error{kShape} for an id outside the vocabulary or more than max_tokens, Error{kUnsupported} naming the layer
  // behind which a number is not finite: the session has to be reset then. progress(tokens done) may throw to stop.
  void prefill(std::span<const int32_t> ids, const std::function<void(int64_t done)>& progress = {});
  // Feeds one generated token; the same arithmetic as prefill.
  void decode(int32_t id) { prefill({&id, 1}); }
  // Logits [V] after the last token fed.
  std::span<const float> logits() const;
  int64_t position() const;  // tokens fed so far

  // Who chooses blocks from the next token on; a new session's policy is kLearned, and reset() keeps it. The engine knows no
  // tasks: it is told spans and seeds. Throws Error{kConfig} when the model has no layer that selects.
  void set_selection(const SelectionPolicy& policy);
  // Who watches from the next token on; null = nobody. Not owned.
  void set_observer(Observer* observer);
  // What is allocated for this session, the model's weights included.
  int64_t peak_bytes() const;
  // Most that was used of the plan's "workspace".
  int64_t workspace_peak_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Index of the largest logit; the lowest index wins a tie.
int32_t argmax(std::span<const float> logits);

}  // namespace sala
