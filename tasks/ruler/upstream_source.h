// The texts of upstream's task scripts: what differs between tasks in `upstream` mode.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "tasks/ruler/niah.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/text/py_random.h"

namespace sala::tasks {

// What would be an exception in upstream's Python: a crash in the size search, a smaller size in the loop over samples.
struct PythonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A task's samples one after the other, each drawn from the streams that the one before it left.
class UpstreamSamples {
 public:
  virtual ~UpstreamSamples() = default;
  // `tokens` takes the prompt, in place of RulerText::prompt.
  virtual RulerText next(Tokenized& tokens) = 0;
};

// One run of a task script: its streams and its corpora. `size` counts units: words, lines or documents.
class UpstreamSource {
 public:
  virtual ~UpstreamSource() = default;
  // How sizes are searched (spec 1.9): steps of `increment`, a first text of `probe` units.
  struct Sizing {
    int64_t increment, probe;
    bool word_bounds = false;  // cwe's upper bound
  };
  virtual Sizing sizing() const = 0;
  // A complete fresh prompt; draws from the streams. Throws PythonError.
  virtual RulerText generate(int64_t size, int64_t index) = 0;
  // What happens to a sample's prompt before its length is checked; draws from the streams.
  virtual RulerText finish(RulerText text) { return text; }
  // Added to every count of the search.
  virtual int64_t tokens_beside() const { return 0; }
};

std::unique_ptr<UpstreamSource> make_upstream_niah(const NiahSpec& spec, const SampleRequest& request);
std::unique_ptr<UpstreamSource> make_upstream_vt(const SampleRequest& request, const Tokenizer& tokenizer);
std::unique_ptr<UpstreamSource> make_upstream_cwe(const SampleRequest& request);
std::unique_ptr<UpstreamSource> make_upstream_qa(int hops, const SampleRequest& request);

// The size search of spec 1.9: the largest size with tokens + beside + reserve <= limit, or the increment.
int64_t search_upstream_size(UpstreamSource& source, int64_t limit, int64_t reserve, const Tokenizer& tokenizer);

// The loop over samples: smaller sizes until the prompt fits. Throws Error{kUsage} where upstream never ends.
RulerText draw_upstream_sample(UpstreamSource& source, std::string_view task, int64_t size, int64_t index, int64_t limit,
                               int64_t reserve, const Tokenizer& tokenizer, Tokenized& tokens);

// Samples of the size that the search finds. Throws Error{kUsage} where it crashes.
std::unique_ptr<UpstreamSamples> size_upstream(const Task& task, std::unique_ptr<UpstreamSource> source,
                                               const SampleRequest& request, const Tokenizer& tokenizer);
// fwe sizes in its own way: the number of words, and a sample's text for at most so many.
std::unique_ptr<UpstreamSamples> make_upstream_fwe(const Task& task, const SampleRequest& request,
                                                   const Tokenizer& tokenizer);

}  // namespace sala::tasks
