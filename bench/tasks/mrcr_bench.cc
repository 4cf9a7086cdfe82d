// MRCR's grader beside CPython's difflib, and how long MRCR and NoLiMa samples take to make.
//
// CPU time of CPython 3.11.7 on the same pairs, same machine (Xeon, 2 cores), `tests/tools/make_sequence_ratios --time 86 7
// 807`, best of five; ours on that day in brackets:
//   pair 86 (1,706 x 1,701 characters, a reply with edits):  3.9 ms [0.021], without autojunk     35 ms [0.73]
//   pair 7 (10,487 x 10,492):                                27 ms [0.46],  without autojunk  1,166 ms [18]
//   pair 807 (23,965 x 23,964):                             214 ms [2.8],   without autojunk 13,850 ms [205]
#include <benchmark/benchmark.h>

#include <string>

#include "sala/tasks/task.h"
#include "tasks/mrcr/sequence_matcher.h"
#include "tests/tasks/mrcr/ratio_pairs.h"

namespace sala::tasks {
namespace {

void BM_SequenceRatio(benchmark::State& state) {
  std::u32string a, b;
  RatioPair(static_cast<uint64_t>(state.range(0))).make(a, b);
  for (auto _ : state) benchmark::DoNotOptimize(SequenceMatcher(b, state.range(1) != 0).ratio(a).ratio);
  state.SetLabel(std::to_string(a.size()) + " x " + std::to_string(b.size()) + " characters");
}
BENCHMARK(BM_SequenceRatio)
    ->ArgNames({"pair", "autojunk"})
    ->ArgsProduct({{86, 7, 807}, {1, 0}})
    ->Unit(benchmark::kMillisecond);

// T: length in tokens. Each sample has another index, as in a run; NoLiMa's books are tokenized once each and then
// remembered.
void BM_MakeChatOrBook(benchmark::State& state, const char* task) {
  const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  const Task& made_by = *resolve_tasks(task).at(0);
  SampleRequest request;
  request.length = state.range(0);
  int64_t tokens = 0;
  for (auto _ : state) {
    ++request.index;
    tokens += static_cast<int64_t>(made_by.make_sample(request, *tokenizer).prompt_ids.size());
  }
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(BM_MakeChatOrBook, mrcr_8, "mrcr_8")
    ->ArgName("T")
    ->Arg(8192)
    ->Arg(131072)
    ->Arg(1000000)
    ->Arg(2097152)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_MakeChatOrBook, nolima, "nolima")
    ->ArgName("T")
    ->Arg(4096)
    ->Arg(131072)
    ->Arg(1000000)
    ->Arg(2097152)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sala::tasks
