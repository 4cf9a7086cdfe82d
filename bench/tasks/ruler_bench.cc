// One sample of each RULER task, beside what upstream's generator took on a machine of this kind (spec tasks 1.13:
// single-threaded CPython 3.11 with a 32k SentencePiece BPE, the sample loop only; set-up and size search of 20 to 160 s not
// counted). The CPU column is the whole sample. `tokenizer_share` is the part of it that the tokenizer takes, and `assembly`
// the rest: what the targets speak of (20 M tokens/s; a million tokens in less than a second). `start_up` is what a process
// pays before its first sample.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "sala/tasks/task.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::tasks {
namespace {

constexpr int64_t kMillion = 1048576;

// Upstream's milliseconds a sample. At a million tokens the essay tasks are extrapolated there.
const std::map<std::pair<std::string, int64_t>, double> kUpstreamMs = {{{"niah_single_1", 131072}, 477},
                                                                       {{"niah_single_2", 131072}, 4557},
                                                                       {{"niah_multikey_2", 131072}, 411},
                                                                       {{"niah_multikey_3", 131072}, 155},
                                                                       {{"vt", 131072}, 303},
                                                                       {{"cwe", 131072}, 285},
                                                                       {{"fwe", 131072}, 240},
                                                                       {{"niah_single_1", kMillion}, 6800},
                                                                       {{"niah_single_2", kMillion}, 18000},
                                                                       {{"niah_multikey_3", kMillion}, 1400},
                                                                       {{"vt", kMillion}, 5600},
                                                                       {{"cwe", kMillion}, 4800},
                                                                       {{"fwe", kMillion}, 3600}};

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// Adds up calls and the time between the two looks at the clock around each.
struct CallTimes {
  double seconds = 0, calls = 0;
};
class CallClock {
 public:
  explicit CallClock(CallTimes& total) : total_(total) {}
  CallClock(const CallClock&) = delete;
  ~CallClock() {
    total_.seconds += seconds_since(began_);
    ++total_.calls;
  }

 private:
  CallTimes& total_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

class TimedTokenizer final : public Tokenizer {
 public:
  explicit TimedTokenizer(const Tokenizer& inner) : inner_(inner) {}
  std::string kind() const override { return inner_.kind(); }
  std::string hash() const override { return inner_.hash(); }
  int64_t vocab_size() const override { return inner_.vocab_size(); }
  std::vector<int32_t> encode(std::string_view text) const override {
    const CallClock clock(times);
    return inner_.encode(text);
  }
  int64_t count(std::string_view text) const override {
    const CallClock clock(times);
    return inner_.count(text);
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& offsets) const override {
    const CallClock clock(times);
    return inner_.encode_with_offsets(text, offsets);
  }
  void encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const override {
    const CallClock clock(times);
    inner_.encode_into(text, ids, offsets);
  }
  std::string decode(const std::vector<int32_t>& ids) const override { return inner_.decode(ids); }
  mutable CallTimes times;

 private:
  const Tokenizer& inner_;
};

// The tokenizer's part of the time of samples 1, 2, ... in [0, 1]. Taken apart from the measurement, and without what the
// clock itself costs: a task may ask for the tokens of 20,000 words.
double tokenizer_share(const Task& task, SampleRequest request, const Tokenizer& inner) {
  constexpr int kLooks = 100000;
  CallTimes nothing;
  auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kLooks; ++i) const CallClock clock(nothing);
  const double around = seconds_since(began) / kLooks, within = nothing.seconds / kLooks;
  const TimedTokenizer tokenizer(inner);
  began = std::chrono::steady_clock::now();
  do {
    ++request.index;
    task.make_sample(request, tokenizer);
  } while (seconds_since(began) < 0.1);
  const double all = seconds_since(began) - tokenizer.times.calls * around;
  return (tokenizer.times.seconds - tokenizer.times.calls * within) / all;
}

void make_samples(benchmark::State& state, const std::string& task, const std::string& name, int64_t length) {
  const auto tokenizer = open_tokenizer(name);
  const Task& made_by = *resolve_tasks(task).at(0);
  SampleRequest request;
  request.length = length;
  made_by.make_sample(request, *tokenizer);
  const double share = tokenizer_share(made_by, request, *tokenizer);
  int64_t tokens = 0;
  for (auto _ : state) {
    ++request.index;
    tokens += static_cast<int64_t>(made_by.make_sample(request, *tokenizer).prompt_ids.size());
  }
  using benchmark::Counter;
  const auto samples = static_cast<double>(state.iterations()), total = static_cast<double>(tokens);
  state.counters["tokens/s"] = Counter(total, Counter::kIsRate);
  state.counters["tokenizer_share"] = share;
  state.counters["assembly_tokens/s"] = Counter(total / (1 - share), Counter::kIsRate);
  state.counters["assembly_s"] = Counter(samples / (1 - share), Counter::kIsRate | Counter::kInvert);
  const auto upstream = kUpstreamMs.find({task, length});
  if (upstream == kUpstreamMs.end()) return;
  state.counters["upstream_s"] = upstream->second / 1e3;
  state.counters["times_upstream"] = Counter(samples * upstream->second / 1e3, Counter::kIsRate);
  state.counters["times_upstream_assembly"] = Counter(samples * upstream->second / 1e3 / (1 - share), Counter::kIsRate);
}

// What a process pays before its first sample: it reads the tokenizer, and a thread that never made a sample makes a short
// one of each task (word lists, caches). Lists that are made once for a process are in the first iteration only.
void start_up(benchmark::State& state, const std::string& name) {
  for (auto _ : state) {
    std::thread([&] {
      const auto tokenizer = open_tokenizer(name);
      SampleRequest request;
      request.length = 4096;
      for (const Task* task : resolve_tasks("ruler"))
        benchmark::DoNotOptimize(task->make_sample(request, *tokenizer).prompt_ids.size());
    }).join();
  }
}

void add_benchmarks() {
  const std::string family = SALA_SOURCE_DIR "/models/tokenizer.model";
  benchmark::RegisterBenchmark("ruler/start_up/bpe", [family](benchmark::State& state) { start_up(state, family); })
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1)
      ->UseRealTime();
  for (const Task* task : resolve_tasks("ruler")) {
    for (const auto& [kind, name] : {std::pair<std::string, std::string>{"bpe", family}, {"whitespace", "whitespace"}}) {
      for (const int64_t length : {int64_t{4096}, int64_t{131072}, kMillion}) {
        benchmark::RegisterBenchmark(
            ("ruler/" + std::string(task->name()) + "/" + kind + "/T:" + std::to_string(length)).c_str(),
            [task = std::string(task->name()), tokenizer = name, length](benchmark::State& state) {
              make_samples(state, task, tokenizer, length);
            })
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace sala::tasks

int main(int argc, char** argv) {
  sala::tasks::add_benchmarks();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
