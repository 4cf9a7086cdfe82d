// y = x W^T at the shapes of the models. Peers: linear_peers.cc.
#include "bench/sim/ops/op_bench.h"
#include "sim/ops/linear/linear.h"

namespace sala::ops {
namespace {

void BM_Linear(benchmark::State& state) {
  const Context context = begin(state);
  const int64_t T = state.range(2), N = state.range(3), K = state.range(4);
  const Buffer<float> x = random_values(T * K, 1), w = random_values(N * K, 2);
  Buffer<float> y(T * N);
  const PackedMatrix weight(on(), w.view(N, K));
  for (auto _ : state) {
    linear(context, x.view(T, K), weight, y.view(T, N));
    benchmark::ClobberMemory();
  }
  report_flops(state, context, 2.0 * static_cast<double>(T * N * K));
}
// sala-tiny (256, FFN 208), a model of width 512 and FFN 1408, one token, and a head of 4096 words.
BENCHMARK(BM_Linear)->ArgNames({"kernels", "threads", "T", "N", "K"})->Apply([](benchmark::internal::Benchmark* bench) {
  for_kernels(bench, {{512, 256, 256},
                      {512, 208, 256},
                      {8192, 256, 256},
                      {8192, 208, 256},
                      {512, 512, 512},
                      {2048, 512, 512},
                      {8192, 512, 512},
                      {512, 1408, 512},
                      {512, 512, 1408},
                      {1, 256, 256},
                      {1, 512, 512},
                      {1, 4096, 256}});
});

void BM_Pack(benchmark::State& state) {
  const int64_t N = state.range(0), K = state.range(1);
  const Buffer<float> w = random_values(N * K, 2);
  for (auto _ : state) benchmark::DoNotOptimize(PackedMatrix(on(), w.view(N, K)).bytes());
  report_bytes(state, 2.0 * 4 * static_cast<double>(N * K));
}
BENCHMARK(BM_Pack)->ArgNames({"N", "K"})->Args({512, 512})->Args({4096, 4096})->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace sala::ops
