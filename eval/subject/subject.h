// Who answers. All that the runner knows about it: what it can do, and what it said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sala/model/selection_policy.h"
#include "sala/model/tap.h"
#include "sala/tasks/task.h"

namespace sala::eval {

// What a subject declares. The runner refuses by name what a run needs and its subject cannot do.
struct Capabilities {
  bool ids = false, text = false, messages = false;  // forms of a prompt that it takes
  bool probe = false;                                // its layers can be watched while it answers
  bool selection = false;                            // it lets itself be told which blocks to read
};

// Everything that a subject is told. No task and no reference answer; spans of evidence only in the policy of a user who
// asked for one (--select). A subject reads the form of the prompt that it takes: ids before messages before text.
struct Question {
  std::span<const int32_t> ids;                      // what stands before every prompt (BOS) included
  std::string_view text;                             // the prompt without it
  std::vector<tasks::Message> messages;              // of a chat task; else empty
  int64_t max_new_tokens = 0;                        // of the answer
  SelectionPolicy selection;                         // who chooses blocks
  Observer* observer = nullptr;                      // may be null
  std::function<void(int64_t tokens)> on_prompt;     // tokens of the prompt read so far; may throw to stop
  std::function<void(int64_t new_tokens)> on_token;  // tokens generated so far; may throw to stop
};

struct Answer {
  std::vector<int32_t> ids;         // greedy choices, the stop token left out; empty when the subject answers in text
  std::optional<std::string> text;  // when the subject answers in text
  bool stopped = false;             // ended by a stop token rather than by max_new_tokens
  double prefill_seconds = 0, decode_seconds = 0;
};

// Answers one question at a time; belongs to one thread at a time.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Answer answer(const Question& question) = 0;
};

// Subjects of one kind that answer side by side, the same bytes however many they are.
class Subjects {
 public:
  virtual ~Subjects() = default;
  virtual std::string name() const = 0;  // for messages
  virtual Capabilities capabilities() const = 0;
  // How many may answer questions of at most `tokens` tokens (prompt and answer) at once; at least 1, at most `wanted`.
  // Never less for fewer tokens.
  virtual int64_t at_once(int64_t tokens, int64_t wanted) const = 0;
  // Number `lane` of `lanes` that answer at once.
  virtual std::unique_ptr<Subject> open(int64_t tokens, int64_t lane, int64_t lanes) = 0;
};

}  // namespace sala::eval
