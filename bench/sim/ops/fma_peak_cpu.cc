#include <chrono>
#include <cmath>
#include <map>

#include "bench/sim/ops/op_bench.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sala::ops {
namespace {

constexpr int64_t kRounds = 2'000'000;

// Each runs kRounds rounds of independent multiply-adds and returns the FLOP done.
#if defined(__x86_64__)
__attribute__((target("avx512f"))) double run_avx512(float* sink) {
  __m512 sum[16];
  for (int i = 0; i < 16; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int64_t round = 0; round < kRounds; ++round)
    for (int i = 0; i < 16; ++i) sum[i] = _mm512_fmadd_ps(sum[i], a, b);
  for (int i = 0; i < 16; ++i) _mm512_storeu_ps(sink, _mm512_add_ps(_mm512_loadu_ps(sink), sum[i]));
  return 2.0 * 16 * 16 * kRounds;
}
__attribute__((target("avx2,fma"))) double run_avx2(float* sink) {
  __m256 sum[12];
  for (int i = 0; i < 12; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int64_t round = 0; round < kRounds; ++round)
    for (int i = 0; i < 12; ++i) sum[i] = _mm256_fmadd_ps(sum[i], a, b);
  for (int i = 0; i < 12; ++i) _mm256_storeu_ps(sink, _mm256_add_ps(_mm256_loadu_ps(sink), sum[i]));
  return 2.0 * 12 * 8 * kRounds;
}
#endif

double run_scalar(float* sink) {
  float sum[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  for (int64_t round = 0; round < kRounds; ++round)
    for (float& value : sum) value = std::fma(value, 0.999f, 0.001f);
  for (const float value : sum) *sink += value;
  return 2.0 * 8 * kRounds;
}

double run_once(Isa isa, float* sink) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return run_avx512(sink);
  if (isa == Isa::kAvx2) return run_avx2(sink);
#endif
  (void)isa;
  return run_scalar(sink);
}

}  // namespace

double fma_peak(Isa isa) {
  static std::map<Isa, double> known;
  if (const auto found = known.find(isa); found != known.end()) return found->second;
  float sink[16] = {};
  double best = 0;
  for (int repeat = 0; repeat < 9; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    const double flops = run_once(isa, sink);
    best = std::max(best, flops / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  benchmark::DoNotOptimize(sink);
  return known[isa] = best;
}

}  // namespace sala::ops
