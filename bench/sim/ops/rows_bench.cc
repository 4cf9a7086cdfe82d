// What touches each element once or twice: norms, gates, rotation. Bound by memory; bytes/s counts reads and writes.
#include "bench/sim/ops/op_bench.h"
#include "sim/ops/elementwise/elementwise.h"
#include "sim/ops/norm/norm.h"
#include "sim/ops/rope/rope.h"

namespace sala::ops {
namespace {

const std::vector<std::string> kNames = {"kernels", "threads", "T", "N"};
void shapes(benchmark::internal::Benchmark* bench) { for_kernels(bench, {{512, 256}, {8192, 256}}); }

// step(context, x, y) on [T, N]; `passes` over 4 T N bytes.
template <class Step>
void run(benchmark::State& state, double passes, const Step& step) {
  const Context context = begin(state);
  const int64_t T = state.range(2), N = state.range(3);
  Buffer<float> x = random_values(T * N, 1), y = random_values(T * N, 2);
  for (auto _ : state) {
    step(context, x.view(T, N), y.view(T, N));
    benchmark::ClobberMemory();
  }
  report_bytes(state, passes * 4 * static_cast<double>(T * N));
}

void BM_RmsNorm(benchmark::State& state) {
  const Buffer<float> w = random_values(state.range(3), 3);
  run(state, 2, [&](const Context& context, auto x, auto y) { rms_norm(context, x, w.view(w.size()), 1e-6f, y); });
}
void BM_RmsNormOfHeads(benchmark::State& state) {  // heads of 32
  const Buffer<float> w = random_values(32, 3);
  run(state, 2, [&](const Context& context, auto x, auto) {
    const auto heads = make_view(x.data, x.size() / 32, 32);
    rms_norm(context, heads, w.view(32), 1e-6f, heads);
  });
}
void BM_SigmoidMul(benchmark::State& state) {
  run(state, 3, [](const Context& context, auto x, auto y) { sigmoid_mul(context, x, y); });
}
void BM_SiluMul(benchmark::State& state) {
  run(state, 3, [](const Context& context, auto x, auto y) { silu_mul(context, x, y, y); });
}
void BM_AddScaled(benchmark::State& state) {
  run(state, 3, [](const Context& context, auto x, auto y) { add_scaled(context, y, x, 1e-9f); });
}
void BM_Rope(benchmark::State& state) {  // heads of 32
  RopeTable table(32, default_inv_freq(32, 10000), 1.0f);
  table.prepare(on(), 1000000, state.range(2));
  run(state, 2, [&](const Context& context, auto x, auto) {
    apply_rope(context, table, make_view(x.data, x.extent[0], x.extent[1] / 32, 32));
  });
}
void BM_RopeTable(benchmark::State& state) {
  RopeTable table(32, default_inv_freq(32, 10000), 1.0f);
  run(state, 0.125, [&](const Context& context, auto x, auto) { table.prepare(context, 1000000, x.extent[0]); });
}
BENCHMARK(BM_RmsNorm)->ArgNames(kNames)->Apply(shapes);
BENCHMARK(BM_RmsNormOfHeads)->ArgNames(kNames)->Apply(shapes);
BENCHMARK(BM_SigmoidMul)->ArgNames(kNames)->Apply(shapes);
BENCHMARK(BM_SiluMul)->ArgNames(kNames)->Apply(shapes);
BENCHMARK(BM_AddScaled)->ArgNames(kNames)->Apply(shapes);
BENCHMARK(BM_Rope)->ArgNames(kNames)->Apply(shapes);
BENCHMARK(BM_RopeTable)->ArgNames(kNames)->Apply(shapes);

}  // namespace
}  // namespace sala::ops
