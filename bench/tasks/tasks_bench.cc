// How fast text becomes token ids.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "sala/tasks/task.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::tasks {
namespace {

const std::string kTokenizer = std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model";

// Tokens of a whole prompt by the family's tokenizer (making samples: ruler_bench).
void BM_Count(benchmark::State& state, const char* task) {
  const auto tokenizer = open_tokenizer(kTokenizer);
  SampleRequest request;
  request.length = state.range(0);
  const std::string text = resolve_tasks(task).at(0)->make_sample(request, *tokenizer).prompt();
  int64_t tokens = 0;
  for (auto _ : state) tokens += tokenizer->count(text);
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(BM_Count, noise, "niah_single_1")->ArgName("T")->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Count, essay, "niah_single_2")->ArgName("T")->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Count, words, "niah_multikey_2")->ArgName("T")->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Count, uuids, "niah_multikey_3")->ArgName("T")->Arg(1000000)->Unit(benchmark::kMillisecond);

void BM_Encode(benchmark::State& state, const std::string& name) {
  const auto tokenizer = open_tokenizer(name);
  const auto sentencepiece = open_tokenizer(kTokenizer);
  SampleRequest request;
  request.length = state.range(0);
  const std::string text = resolve_tasks("niah_single_2").at(0)->make_sample(request, *sentencepiece).prompt();
  int64_t bytes = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(tokenizer->encode(text));
    bytes += static_cast<int64_t>(text.size());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK_CAPTURE(BM_Encode, sentencepiece, kTokenizer)->ArgName("T")->Arg(4096)->Arg(131072)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Encode, whitespace, std::string("whitespace"))
    ->ArgName("T")
    ->Arg(4096)
    ->Arg(131072)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sala::tasks
