// Sessions of a model of ours as subjects.
#pragma once

#include <string>
#include <vector>

#include "eval/subject/subject.h"
#include "sala/model/session.h"

namespace sala::eval {

// Questions of up to so many tokens (32k and what stands before) are answered one on each core: all cores on one of them
// wait for each other more than they save. Longer ones have all cores, one after the other, so that a kill costs little and
// the caches of one session suffice.
inline constexpr int64_t kOneACore = 33000;
// On a GPU sessions run their kernels together: at most so many at once, of at most so many tokens together.
inline constexpr int64_t kMostOnADevice = 64, kTokensOnADevice = kMostOnADevice * kOneACore;

// What a sample of so many tokens takes beside its session, while it is made and answered: texts, ids, a thread.
int64_t sample_bytes(int64_t tokens);

class SessionSubjects final : public Subjects {
 public:
  // Sessions share `model`, which must outlive them, `threads` threads and `memory_bytes` of memory, weights included.
  // Greedy decoding ends at any of `stop_ids`. options.max_tokens is not looked at.
  SessionSubjects(std::string name, const Model& model, const SessionOptions& options, std::vector<int64_t> stop_ids,
                  int threads, int64_t memory_bytes);
  std::string name() const override { return name_; }
  Capabilities capabilities() const override;
  int64_t at_once(int64_t tokens, int64_t wanted) const override;
  std::unique_ptr<Subject> open(int64_t tokens, int64_t lane, int64_t lanes) override;
  // Of the session of a lane. The threads that are left over go to the first lanes.
  SessionOptions shape(int64_t tokens, int64_t lane, int64_t lanes) const;

 private:
  int64_t most_at_once(int64_t tokens) const;  // if memory were no question
  std::string name_;
  const Model& model_;
  SessionOptions options_;
  std::vector<int64_t> stop_ids_;
  int threads_;
  int64_t memory_bytes_;
};

}  // namespace sala::eval
