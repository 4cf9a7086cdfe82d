// Block selection at the shape of the default model: 4 query heads and 2 KV heads of 64 dims, blocks of 64, 16 slots. R
// queries at the end of S keys; R = 1 is decoding.
#include "bench/sim/ops/op_bench.h"
#include "sim/ops/compress/compress.h"
#include "sim/ops/select/select.h"

namespace sala::ops {
namespace {

constexpr int64_t kHeads = 4, kKvHeads = 2, kDim = 64;

int64_t windows(int64_t tokens, int64_t kernel, int64_t stride) {
  return tokens < kernel ? 0 : (tokens - kernel) / stride + 1;
}

PackedKeys random_keys(int64_t count, uint64_t seed) {
  PackedKeys keys(kKvHeads, kDim, count);
  keys.append(on(), random_values(count * kKvHeads * kDim, seed).view(count, kKvHeads, kDim));
  return keys;
}

void BM_SelectBlocks(benchmark::State& state) {
  const Context context = begin(state);
  const int64_t R = state.range(2), S = state.range(3);
  SelectParams params;
  params.window_size = 256;
  params.topk = 12;
  params.scale = 0.125f;
  const PackedKeys fine = random_keys(windows(S, 32, 16), 1), coarse = random_keys(windows(S, 128, 64), 2);
  const Buffer<float> q = random_values(R * kHeads * kDim, 3);
  Buffer<int32_t> blocks(R * kKvHeads * params.slots());
  for (auto _ : state) {
    select_blocks(context, q.view(R, kHeads, kDim), fine, coarse, S - R, params, blocks.view(R, kKvHeads, params.slots()));
    benchmark::ClobberMemory();
  }
  double scored = 0;
  for (int64_t t = S - R; t < S; ++t) scored += static_cast<double>(windows(t + 1, 32, 16) + windows(t + 1, 128, 64));
  report_flops(state, context, 2 * kHeads * kDim * scored);
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(R), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_SelectBlocks)->ArgNames({"kernels", "threads", "R", "S"})->Apply([](benchmark::internal::Benchmark* bench) {
  for_kernels(bench, {{4096, 4096}, {2048, 16384}, {1024, 131072}, {768, 1000000}, {1, 1000000}});
});

void BM_CompressKeys(benchmark::State& state) {
  const int64_t T = state.range(0);
  const Buffer<float> k = random_values(T * kKvHeads * kDim, 4);
  PackedKeys fine(kKvHeads, kDim, T), coarse(kKvHeads, kDim, T);
  for (auto _ : state) {
    fine.clear(), coarse.clear();
    KeyCompressor(kKvHeads, kDim, {32, 16}).append(on(), k.view(T, kKvHeads, kDim), fine);
    KeyCompressor(kKvHeads, kDim, {128, 64}).append(on(), k.view(T, kKvHeads, kDim), coarse);
  }
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(T), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_CompressKeys)->ArgName("T")->Arg(8192)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace sala::ops
