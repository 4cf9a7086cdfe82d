// Dense and block-sparse attention at the shape of the default model: 4 query heads and 2 KV heads of 64 dims. R queries at
// the end of S keys; R = 1 is decoding.
#include <algorithm>

#include "bench/sim/ops/op_bench.h"
#include "sim/ops/attention/attention.h"

namespace sala::ops {
namespace {

constexpr int64_t kHeads = 4, kKvHeads = 2, kDim = 64, kBlock = 64, kSlots = 16, kLocal = 5;

struct Inputs {
  Inputs(int64_t R, int64_t S)
      : keys(kKvHeads, kDim, S), values(kKvHeads, kDim, S), q(random_values(R * kHeads * kDim, 1)), o(R * kHeads * kDim) {
    const int64_t step = std::min<int64_t>(S, 4096);
    const Buffer<float> some = random_values(step * kKvHeads * kDim, 2);
    for (int64_t at = 0; at < S; at += step) {
      keys.append(on(), some.view(step, kKvHeads, kDim).slice(0, std::min(step, S - at)));
      values.append(on(), some.view(step, kKvHeads, kDim).slice(0, std::min(step, S - at)));
    }
  }
  PackedKeys keys;
  ValueCache values;
  Buffer<float> q, o;
  float scale = 0.125f;
};

// `read`: keys that one query reads, all queries together.
void report(benchmark::State& state, const Context& context, int64_t R, double read) {
  report_flops(state, context, 4 * kHeads * kDim * read);
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(R), benchmark::Counter::kIsIterationInvariantRate);
}

void BM_DenseAttention(benchmark::State& state) {
  const Context context = begin(state);
  const int64_t R = state.range(2), S = state.range(3);
  Inputs in(R, S);
  for (auto _ : state) {
    dense_attention(context, in.q.view(R, kHeads, kDim), in.keys, in.values, S - R, in.scale, in.o.view(R, kHeads, kDim));
    benchmark::ClobberMemory();
  }
  const auto rows = static_cast<double>(R);
  report(state, context, R, rows * static_cast<double>(S - R) + rows * (rows + 1) / 2);
}
BENCHMARK(BM_DenseAttention)->ArgNames({"kernels", "threads", "R", "S"})->Apply([](benchmark::internal::Benchmark* bench) {
  for_kernels(bench, {{512, 512}, {4096, 4096}, {512, 32768}, {512, 131072}, {1, 131072}});
});

// Blocks of R queries: the first one, the local ones, and random others that are drawn anew every `alike` queries.
Buffer<int32_t> random_blocks(int64_t R, int64_t S, int64_t alike) {
  Buffer<int32_t> blocks(R * kKvHeads * kSlots);
  Rng rng(3, "bench/blocks");
  std::vector<int32_t> far[kKvHeads];
  int32_t* out = blocks.data();
  for (int64_t r = 0; r < R; ++r)
    for (std::vector<int32_t>& mine : far) {
      const int64_t own = (S - R + r) / kBlock;
      if (r % alike == 0) {
        mine = {0};
        while (mine.size() < kSlots - kLocal) {
          const auto id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(own - kLocal - 1)));
          if (std::find(mine.begin(), mine.end(), id) == mine.end()) mine.push_back(id);
        }
        std::sort(mine.begin(), mine.end());
      }
      out = std::copy(mine.begin(), mine.end(), out);
      for (int64_t b = own - kLocal + 1; b <= own; ++b) *out++ = static_cast<int32_t>(b);
    }
  return blocks;
}

void BM_SparseAttention(benchmark::State& state) {
  const Context context = begin(state);
  const int64_t R = state.range(2), S = state.range(3);
  Inputs in(R, S);
  const Buffer<int32_t> blocks = random_blocks(R, S, state.range(4));
  double read = 0;
  for (int64_t t = S - R; t < S; ++t) read += static_cast<double>((kSlots - 1) * kBlock + t % kBlock + 1);
  for (auto _ : state) {
    sparse_attention(context, in.q.view(R, kHeads, kDim), in.keys, in.values, S - R, kBlock,
                     blocks.view(R, kKvHeads, kSlots), in.scale, in.o.view(R, kHeads, kDim));
    benchmark::ClobberMemory();
  }
  report(state, context, R, read);
}
BENCHMARK(BM_SparseAttention)
    ->ArgNames({"kernels", "threads", "R", "S", "alike"})
    ->Apply([](benchmark::internal::Benchmark* bench) {
      for_kernels(bench, {{4096, 32768, 1},
                          {4096, 32768, 8},
                          {4096, 32768, 64},
                          {4096, 1000000, 1},
                          {4096, 1000000, 8},
                          {4096, 1000000, 64},
                          {1, 1000000, 1}});
    });

}  // namespace
}  // namespace sala::ops
