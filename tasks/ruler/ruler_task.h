// What the RULER tasks share: metric, diagnostics, and the way from a prompt's bytes to a sample.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/task.h"
#include "tasks/text/budget.h"

namespace sala::tasks {

// Evidence as bytes of the prompt.
struct EvidenceBytes {
  int64_t begin = 0, end = 0;
  std::string key, value;
};

// A prompt before it is tokenized.
struct RulerText {
  std::string prompt;
  int64_t haystack_begin = 0, haystack_end = 0;  // its bytes; needles and documents included, solved examples not
  int64_t prefix_at = 0;                         // the answer prefix begins here
  std::vector<std::string> outputs;
  std::vector<EvidenceBytes> evidence;
};

// The part of `prompt` that ends the input: upstream cuts at the last occurrence of the first 10 characters of the answer
// prefix.
int64_t find_answer_prefix(std::string_view prompt, std::string_view answer_prefix);

// Fills every field of a sample. `tokens` holds the prompt, in place of text.prompt.
Sample finish_sample(const Task& task, const SampleRequest& request, Tokenized tokens, RulerText text);

void replace_all(std::string& text, std::string_view from, std::string_view to);

// Throws Error{kUsage} that says the smallest length.
[[noreturn]] void throw_too_short(std::string_view task, int64_t length, int64_t smallest_prompt,
                                  int64_t tokens_to_generate);

class UpstreamSamples;  // upstream_source.h

// The registry's face of all 13. A task fills in fixed_sample() and upstream_samples(); what modes share is in upstream.h.
class RulerTask : public Task {
 public:
  explicit RulerTask(TaskTraits traits);  // group and name of the texts are RULER's
  Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;
  std::unique_ptr<SampleStream> open_stream(const SampleRequest& first, const Tokenizer& tokenizer) const override;
  // The share of the references in the answer; any one of them where any counts. `word_match` beside it: the same, but a
  // reference counts only where no letter or digit touches it.
  Score score(const Sample& sample, std::string_view answer) const override;

  // Upstream's samples from index 0 on. Throws Error{kUsage} where upstream's size search crashes.
  virtual std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                            const Tokenizer& tokenizer) const = 0;

 protected:
  virtual Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const = 0;
  // Stream `id` of a sample: the same for every length.
  Rng stream(const SampleRequest& request, uint32_t id) const;
};

}  // namespace sala::tasks
