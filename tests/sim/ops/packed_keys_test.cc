#include "sim/ops/packed_keys/packed_keys.h"

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

INSTANTIATE_EVERY_KERNEL();

TEST_P(EveryKernel, CachesHoldEveryKeyHoweverItIsAppended) {
  for (const int64_t step : {1, 5, 16, 300, 601}) {
    const int64_t S = 601, Hkv = 3, D = 24;
    const Buffer<float> k = random_values(S * Hkv * D, 1);
    const auto view = k.view(S, Hkv, D);
    PackedKeys keys(Hkv, D, S, memory());
    ValueCache values(Hkv, D, S, memory());
    for (int64_t at = 0; at < S; at += step) {
      keys.append(on(kernels()), view.slice(at, std::min(S, at + step)));
      values.append(on(kernels()), view.slice(at, std::min(S, at + step)));
    }
    EXPECT_EQ(keys.size(), S);
    EXPECT_EQ(values.size(), S);
    int64_t wrong = 0;
    for (int64_t j = 0; j < S; ++j)
      for (int64_t g = 0; g < Hkv; ++g)
        for (int64_t d = 0; d < D; ++d) wrong += keys.at(j, g, d) != view[j][g][d] || values.at(j, g, d) != view[j][g][d];
    EXPECT_EQ(wrong, 0) << "in steps of " << step;
  }
}

TEST(PackedKeys, PanelHoldsSixteenKeysDimByDim) {
  const Buffer<float> k = random_values(40 * 2 * 3, 2);
  const auto view = k.view(40, 2, 3);
  PackedKeys keys(2, 3, 40);
  keys.append(on(), view);
  // head 1, panel 2, dim 1, lane 7 is key 39
  EXPECT_EQ(keys.panels(1)[2 * 3 * 16 + 1 * 16 + 7], view[39][1][1]);
  EXPECT_EQ(keys.bytes(), 2 * 48 * 3 * 4);
}

TEST(PackedKeys, ClearStartsAgainWithoutGivingUpMemory) {
  const Buffer<float> k = random_values(20 * 4, 3), other = random_values(20 * 4, 4);
  PackedKeys keys(1, 4, 20);
  ValueCache values(1, 4, 20);
  keys.append(on(), k.view(20, 1, 4));
  values.append(on(), k.view(20, 1, 4));
  keys.clear();
  values.clear();
  EXPECT_EQ(keys.size() + values.size(), 0);
  keys.append(on(), other.view(20, 1, 4));
  values.append(on(), other.view(20, 1, 4));
  EXPECT_EQ(keys.at(19, 0, 2), other.view(20, 4)[19][2]);
  EXPECT_EQ(values.at(19, 0, 2), other.view(20, 4)[19][2]);
}

TEST_P(EveryKernel, CachesTakeStridedInput) {
  const Buffer<float> k = random_values(10 * 6, 5);
  TensorView<const float, 3> part = k.view(10, 3, 2);
  part.extent[1] = 2;  // two of three heads
  PackedKeys keys(2, 2, 10, memory());
  ValueCache values(2, 2, 10, memory());
  keys.append(on(kernels()), part);
  values.append(on(kernels()), part);
  EXPECT_EQ(keys.at(7, 1, 1), k.view(10, 3, 2)[7][1][1]);
  EXPECT_EQ(values.at(7, 1, 1), k.view(10, 3, 2)[7][1][1]);
}

TEST(PackedKeys, NothingFitsIntoNothing) {
  PackedKeys keys(2, 4, 0);
  keys.append(on(), make_view(static_cast<const float*>(nullptr), 0, 2, 4));
  EXPECT_EQ(keys.size(), 0);
  EXPECT_EQ(keys.bytes(), 0);
}

TEST(PackedKeys, BadCallsNameTheNumbers) {
  const Buffer<float> k = random_values(11 * 2 * 4, 6);
  PackedKeys keys(2, 4, 20);
  ValueCache values(2, 4, 20);
  keys.append(on(), k.view(11, 2, 4));
  values.append(on(), k.view(11, 2, 4));
  expect_error(ErrorCode::kShape, {"11 tokens after 11", "capacity of 20"}, [&] { keys.append(on(), k.view(11, 2, 4)); });
  expect_error(ErrorCode::kShape, {"11 tokens after 11", "capacity of 20"}, [&] { values.append(on(), k.view(11, 2, 4)); });
  expect_error(ErrorCode::kShape, {"[1, 4, 4]", "2 KV heads of 4 dims"}, [&] { keys.append(on(), k.view(1, 4, 4)); });
  expect_error(ErrorCode::kShape, {"[1, 2, 8]"}, [&] { values.append(on(), k.view(1, 2, 8)); });
  expect_error(ErrorCode::kShape, {"0 KV heads"}, [&] { PackedKeys(0, 4, 20); });
  expect_error(ErrorCode::kShape, {"0 dims"}, [&] { ValueCache(2, 0, 20); });
  expect_error(ErrorCode::kShape, {"room for -1"}, [&] { PackedKeys(2, 4, -1); });
  EXPECT_EQ(keys.size(), 11);
}

}  // namespace
}  // namespace sala::ops
