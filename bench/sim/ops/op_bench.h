// Shared by the benchmarks of the ops: kernels as an argument, random inputs, rates as counters and as a fraction of what
// the processor's multiply-adders do.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "sala/core/parallel.h"
#include "sala/core/rng.h"
#include "sala/core/tensor.h"
#include "sim/ops/context.h"

namespace sala::ops {

// FLOP/s of one core that does nothing but independent fused multiply-adds of this set's vectors; measured once.
double fma_peak(Isa isa);

inline Buffer<float> random_values(int64_t count, uint64_t seed) {
  Rng rng(seed, "bench/ops");
  Buffer<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(2 * rng.uniform() - 1);
  return values;
}

// Adds {kernels, threads, sizes...} for every fast set of this machine and 1 and 2 threads. The first two arguments go to
// begin().
inline void for_kernels(benchmark::internal::Benchmark* bench, const std::vector<std::vector<int64_t>>& sizes) {
  const std::vector<Kernels>& all = all_kernels();
  for (size_t i = 2; i < all.size() || i == 2; ++i) {  // without ref and portable, unless there is nothing else
    const size_t index = i < all.size() ? i : 1;
    if (!all[index].supported()) continue;
    for (const int64_t threads : {1, 2})
      for (const std::vector<int64_t>& size : sizes) {
        std::vector<int64_t> args = {static_cast<int64_t>(index), threads};
        args.insert(args.end(), size.begin(), size.end());
        bench->Args(args);
      }
  }
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

// On the CPU, in fp32, with the default pool and a workspace that grows.
inline Context on(const Kernels& kernels = find_kernels("best")) {
  static Workspace workspace;
  return {cpu_device(), kernels, Numerics::kFp32, workspace, default_pool()};
}

inline Context begin(benchmark::State& state) {
  const Kernels& kernels = all_kernels()[static_cast<size_t>(state.range(0))];
  set_num_threads(static_cast<int>(state.range(1)));
  state.SetLabel(kernels.name);
  return on(kernels);
}

// FLOP of one iteration: FLOP/s, and the fraction of the peak of the threads in use.
inline void report_flops(benchmark::State& state, const Context& context, double flops) {
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(flops / (fma_peak(context.kernels.isa) * static_cast<double>(state.range(1))),
                                      Counter::kIsIterationInvariantRate);
}
inline void report_bytes(benchmark::State& state, double bytes) {
  state.counters["bytes/s"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace sala::ops
