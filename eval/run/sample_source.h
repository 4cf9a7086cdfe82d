// Makes the samples of a plan, each once.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>

#include "eval/spec/plan.h"
#include "eval/util/spill.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::eval {

// What has to be known of samples before a run (how long they are, whether a policy would act) is asked by look(). A sample
// that was looked at is kept until it is taken: in memory as long as all that are there fit in `most_bytes`, else its text
// and ids are on the disk. Only where the disk does not take them it is made again. Where samples come from one stream
// (upstream mode), it goes on from sample to sample and is not replayed. take() may be called from several threads at once,
// the rest may not.
class SampleSource {
 public:
  // Both must outlive it; the plan's seed, mode and files must not change, nor its cells once take() was called.
  SampleSource(const RunPlan& plan, const Tokenizer& tokenizer, int64_t most_bytes = std::numeric_limits<int64_t>::max())
      : plan_(plan), tokenizer_(tokenizer), most_bytes_(most_bytes) {}

  struct Made {
    tasks::Sample sample;
    double seconds = 0;
  };
  void look(const Cell& cell, int64_t index, const std::function<void(const tasks::Sample&)>& at);
  Made take(const Cell& cell, int64_t index);
  // Forgets a sample that nobody will take.
  void drop(const Cell& cell, int64_t index);
  // In memory, from now on; what is too much goes to the disk, the last first.
  void keep_at_most(int64_t bytes);

  int64_t kept_bytes() const { return kept_bytes_; }  // in memory
  int64_t made() const { return made_; }              // samples so far, repeats counted

 private:
  using Key = std::tuple<const tasks::Task*, int64_t, int64_t>;  // task, length, index
  struct OnDisk {
    int64_t text_at = 0, ids_at = 0;
    std::size_t text_size = 0, ids_size = 0;
  };
  struct Kept {
    Made made;
    int64_t bytes = 0, order = 0;
    std::optional<OnDisk> away = {};  // where the sample's text and ids are, when it does not hold them
  };
  struct Stream {  // of a cell
    std::mutex mutex;
    std::unique_ptr<tasks::SampleStream> samples;
    int64_t next = 0;  // index of the sample that it gives next
  };
  Made make(const Cell& cell, int64_t index);
  Made make_from_stream(const Cell& cell, int64_t index);
  void keep(const Key& key, Made made);
  bool send_away(Kept& kept);
  Made restored(Kept kept) const;
  std::optional<Made> take_kept(const Key& key);

  const RunPlan& plan_;
  const Tokenizer& tokenizer_;
  int64_t most_bytes_, kept_bytes_ = 0, order_ = 0, made_ = 0;
  std::map<Key, Kept> kept_;
  std::set<Key> gone_;  // that were taken or dropped
  std::map<std::pair<const tasks::Task*, int64_t>, Stream> streams_;
  Spill spill_;
  std::mutex mutex_;  // of all that stands above it
};

}  // namespace sala::eval
