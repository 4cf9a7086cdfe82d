#include "sim/ops/compress/compress.h"

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

constexpr double kSumOf128 = 1e-6;  // fp32 means of 128 numbers against double
constexpr double kBf16Step = 1.0 / 128;

struct Compressed {
  PackedKeys keys;
  std::vector<float> values() const {
    std::vector<float> all;
    for (int64_t j = 0; j < keys.size(); ++j)
      for (int64_t g = 0; g < keys.kv_heads(); ++g)
        for (int64_t d = 0; d < keys.dim(); ++d) all.push_back(keys.at(j, g, d));
    return all;
  }
};

Compressed compress(TensorView<const float, 3> k, CompressParams params, bool bf16, int64_t step,
                    const Kernels& kernels = find_kernels("best")) {
  Compressed out{PackedKeys(k.extent[1], k.extent[2], 4096, memory())};
  KeyCompressor compressor(k.extent[1], k.extent[2], params, memory());
  for (int64_t at = 0; at < k.extent[0]; at += step)
    compressor.append(on(kernels, numerics_of(bf16)), k.slice(at, std::min(k.extent[0], at + step)), out.keys);
  return out;
}

// Spec 11, vector 3.
TEST(KeyCompressor, CountsOnlyCompleteWindows) {
  const Buffer<float> k = random_values(8192 * 2, 1);
  const auto count = [&](int64_t tokens, CompressParams params) {
    return compress(k.view(8192, 1, 2).slice(0, tokens), params, false, 8192).keys.size();
  };
  EXPECT_EQ(count(31, {32, 16}), 0);
  EXPECT_EQ(count(32, {32, 16}), 1);
  EXPECT_EQ(count(47, {32, 16}), 1);
  EXPECT_EQ(count(48, {32, 16}), 2);
  EXPECT_EQ(count(8192, {32, 16}), 511);
  EXPECT_EQ(count(127, {128, 64}), 0);
  EXPECT_EQ(count(128, {128, 64}), 1);
  EXPECT_EQ(count(8192, {128, 64}), 127);
  EXPECT_EQ(count(24, {8, 8}), 3);
  EXPECT_EQ(count(5, {1, 1}), 5);
}

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, CompressionMatchesRefAndAnySplitGivesTheSameBytes) {
  const int64_t T = 1000, Hkv = 2, D = 24;
  const Buffer<float> k = random_values(T * Hkv * D, 2);
  for (const CompressParams params : {CompressParams{32, 16}, {128, 64}, {8, 8}, {12, 4}, {7, 3}, {1, 1}})
    for (const bool bf16 : {false, true}) {
      const std::vector<float> whole = compress(k.view(T, Hkv, D), params, bf16, T, kernels()).values();
      EXPECT_EQ(whole, compress(k.view(T, Hkv, D), params, bf16, T, find_kernels("portable")).values());
      const int64_t windows = (T - params.kernel) / params.stride + 1;
      Buffer<float> want(windows * Hkv * D), got(windows * Hkv * D);
      compress_ref(k.view(T, Hkv, D), params, numerics_of(bf16), want.view(windows, Hkv, D));
      ASSERT_EQ(static_cast<int64_t>(whole.size()), want.size());
      std::copy(whole.begin(), whole.end(), got.data());
      expect_close(got, want, bf16 ? kBf16Step : kSumOf128, "windows of " + std::to_string(params.kernel));
      for (const int64_t step : {1, 5, 16, 33, 300})
        EXPECT_EQ(compress(k.view(T, Hkv, D), params, bf16, step, kernels()).values(), whole)
            << params.kernel << " in steps of " << step;
    }
}

TEST(KeyCompressor, ThreadsDoNotMatter) {
  const Buffer<float> k = random_values(9000 * 4, 3);
  const std::vector<float> all = compress(k.view(9000, 1, 4), {32, 16}, false, 9000).values();
  const ThreadCount one(1);
  EXPECT_EQ(compress(k.view(9000, 1, 4), {32, 16}, false, 9000).values(), all);
}

TEST(KeyCompressor, Bf16ClassHoldsBf16Numbers) {
  const Buffer<float> k = random_values(500 * 8, 4);
  int64_t finer = 0;
  for (const float value : compress(k.view(500, 1, 8), {32, 16}, true, 500).values()) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    finer += (bits & 0xffff) != 0;
  }
  EXPECT_EQ(finer, 0);
}

TEST(KeyCompressor, MeanOfEqualKeysIsTheKey) {
  Buffer<float> k(64 * 3);
  for (int64_t i = 0; i < k.size(); ++i) k[i] = static_cast<float>(i % 3) + 0.5f;
  const std::vector<float> means = compress(k.view(64, 1, 3), {32, 16}, false, 64).values();
  ASSERT_EQ(means.size(), 9u);
  for (size_t i = 0; i < means.size(); ++i) EXPECT_EQ(means[i], static_cast<float>(i % 3) + 0.5f);
}

TEST(KeyCompressor, ClearForgetsTheTail) {
  const Buffer<float> k = random_values(40 * 2, 5);
  KeyCompressor compressor(1, 2, {32, 16});
  PackedKeys out(1, 2, 10), fresh(1, 2, 10);
  compressor.append(on(), k.view(40, 1, 2).slice(0, 20), out);
  compressor.clear();
  compressor.append(on(), k.view(40, 1, 2).slice(0, 31), out);
  EXPECT_EQ(out.size(), 0);
  compressor.append(on(), k.view(40, 1, 2).slice(31, 32), out);
  KeyCompressor(1, 2, {32, 16}).append(on(), k.view(40, 1, 2), fresh);
  ASSERT_EQ(out.size(), 1);
  EXPECT_EQ(out.at(0, 0, 1), fresh.at(0, 0, 1));
}

TEST(KeyCompressor, BadCallsNameTheNumbers) {
  const Buffer<float> k = random_values(64 * 2, 6);
  expect_error(ErrorCode::kConfig, {"8 keys every 9"}, [] { KeyCompressor(1, 2, {8, 9}); });
  expect_error(ErrorCode::kConfig, {"every 0 keys"}, [] { KeyCompressor(1, 2, {8, 0}); });
  expect_error(ErrorCode::kShape, {"0 KV heads"}, [] { KeyCompressor(0, 2, {8, 8}); });
  KeyCompressor compressor(1, 2, {8, 8});
  PackedKeys small(1, 2, 3), wide(2, 2, 30);
  expect_error(ErrorCode::kShape, {"8 windows", "holds 3"}, [&] { compressor.append(on(), k.view(64, 1, 2), small); });
  expect_error(ErrorCode::kShape, {"2 x 2"}, [&] { compressor.append(on(), k.view(64, 1, 2), wide); });
  expect_error(ErrorCode::kShape, {"[32, 2, 2]"}, [&] { compressor.append(on(), k.view(32, 2, 2), wide); });
  EXPECT_EQ(small.size(), 0);
}

}  // namespace
}  // namespace sala::ops
