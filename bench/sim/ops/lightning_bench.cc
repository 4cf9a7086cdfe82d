// Lightning attention at the shapes of the models. FLOP by spec 9.4: 4 C d + 4 d^2 a head and token, C = 64, the full square
// of a chunk; the kernel leaves out the half above the diagonal, so that `of_peak` may pass 1.
#include "bench/sim/ops/op_bench.h"
#include "sim/ops/lightning/lightning.h"

namespace sala::ops {
namespace {

struct Inputs {
  Inputs(int64_t T, int64_t H, int64_t D)
      : q(random_values(T * H * D, 1)),
        k(random_values(T * H * D, 2)),
        v(random_values(T * H * D, 3)),
        o(T * H * D),
        slopes(static_cast<size_t>(H), 1.0f / 64),
        state(H, D, D) {}
  Buffer<float> q, k, v, o;
  std::vector<float> slopes;
  LightningState state;
};

void report(benchmark::State& state, const Context& context, int64_t T, int64_t H, int64_t D) {
  report_flops(state, context, static_cast<double>(T * H * (4 * LightningState::kChunk * D + 4 * D * D)));
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(T), benchmark::Counter::kIsIterationInvariantRate);
}

void BM_Lightning(benchmark::State& state) {
  const Context context = begin(state);
  const int64_t T = state.range(2), H = state.range(3), D = state.range(4);
  Inputs in(T, H, D);
  for (auto _ : state) {
    lightning(context, in.q.view(T, H, D), in.k.view(T, H, D), in.v.view(T, H, D), in.slopes, 0.125f, in.state,
              in.o.view(T, H, D));
    benchmark::ClobberMemory();
  }
  report(state, context, T, H, D);
}
// sala-tiny has 8 heads of 32, the released model 32 of 128; T = 1 is decoding.
BENCHMARK(BM_Lightning)->ArgNames({"kernels", "threads", "T", "H", "D"})->Apply([](benchmark::internal::Benchmark* bench) {
  for_kernels(
      bench,
      {{512, 8, 32}, {2048, 8, 32}, {8192, 8, 32}, {2048, 8, 64}, {8192, 8, 64}, {1024, 32, 128}, {1, 8, 32}, {1, 32, 128}});
});

void BM_LightningUpdate(benchmark::State& state) {
  const Context context = begin(state);
  const int64_t T = state.range(2), H = state.range(3), D = state.range(4);
  Inputs in(T, H, D);
  for (auto _ : state) {
    lightning_update(context, in.k.view(T, H, D), in.v.view(T, H, D), in.slopes, in.state);
    benchmark::ClobberMemory();
  }
  report_bytes(state, 8.0 * static_cast<double>(T * H * D));
}
BENCHMARK(BM_LightningUpdate)
    ->ArgNames({"kernels", "threads", "T", "H", "D"})
    ->Apply([](benchmark::internal::Benchmark* bench) {
      for_kernels(bench, {{2048, 8, 32}, {2048, 8, 64}});
    });

}  // namespace
}  // namespace sala::ops
