// The same products by Eigen, whose bits depend on instruction set and thread count.
#include <benchmark/benchmark.h>

#include <Eigen/Core>

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void BM_LinearEigen(benchmark::State& state) {
  const auto T = state.range(1), N = state.range(2), K = state.range(3);
  Eigen::setNbThreads(static_cast<int>(state.range(0)));
  const Matrix x = Matrix::Random(T, K), w = Matrix::Random(N, K);
  Matrix y(T, N);
  for (auto _ : state) {
    y.noalias() = x * w.transpose();
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(T * N * K), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_LinearEigen)->ArgNames({"threads", "T", "N", "K"})->Apply([](benchmark::internal::Benchmark* bench) {
  const int64_t shapes[][3] = {{512, 256, 256},  {512, 208, 256},  {8192, 256, 256}, {8192, 208, 256},
                               {512, 512, 512},  {2048, 512, 512}, {8192, 512, 512}, {512, 1408, 512},
                               {512, 512, 1408}, {1, 256, 256},    {1, 512, 512},    {1, 4096, 256}};
  for (const int64_t threads : {1, 2})
    for (const auto& [T, N, K] : shapes) bench->Args({threads, T, N, K});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
});

}  // namespace
