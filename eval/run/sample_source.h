// Makes the samples of a plan, each once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>

#include "eval/spec/plan.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::eval {

// What has to be known of samples before a run (how long they are, whether a policy would act) is asked by look(). A sample
// that was looked at is kept until it is taken, as long as all that are kept fit in `most_bytes`; one that does not fit is
// made again. take() may be called from several threads at once, the rest may not.
class SampleSource {
 public:
  static constexpr int64_t kMostBytes = int64_t{128} << 20;

  // Both must outlive it; the plan's seed, mode and files must not change.
  SampleSource(const RunPlan& plan, const Tokenizer& tokenizer, int64_t most_bytes = kMostBytes)
      : plan_(plan), tokenizer_(tokenizer), most_bytes_(most_bytes) {}

  struct Made {
    tasks::Sample sample;
    double seconds = 0;
  };
  void look(const Cell& cell, int64_t index, const std::function<void(const tasks::Sample&)>& at);
  Made take(const Cell& cell, int64_t index);
  // Forgets a sample that nobody will take.
  void drop(const Cell& cell, int64_t index);
  // From now on; forgets what is too much, the last first.
  void keep_at_most(int64_t bytes);

  int64_t kept_bytes() const { return kept_bytes_; }
  int64_t made() const { return made_; }  // samples so far, repeats counted

 private:
  using Key = std::tuple<const tasks::Task*, int64_t, int64_t>;  // task, length, index
  struct Kept {
    Made made;
    int64_t bytes = 0, order = 0;
  };
  Made make(const Cell& cell, int64_t index);

  const RunPlan& plan_;
  const Tokenizer& tokenizer_;
  int64_t most_bytes_, kept_bytes_ = 0, order_ = 0, made_ = 0;
  std::map<Key, Kept> kept_;
  std::mutex mutex_;
};

}  // namespace sala::eval
