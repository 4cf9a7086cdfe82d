#include "sim/ops/gather/gather.h"

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

const std::vector<int64_t>& widths() {
  static const std::vector<int64_t> all = {1, 15, 16, 17, 64, 100};
  return all;
}

Buffer<float> embedded(const Context& context, int64_t T, int64_t E) {
  const Buffer<float> table = random_values(30 * E, 1);
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < T; ++t) ids.push_back(static_cast<int32_t>(t * 7 % 30));
  Buffer<float> out(T * E);
  embed(context, table.view(30, E), ids, 0.37f, out.view(T, E));
  return out;
}

INSTANTIATE_EVERY_KERNEL();

// One multiplication and at most one rounding: both classes have the bytes of the definition.
TEST_P(EveryKernel, EmbedHasTheBytesOfRefForAnyThreadCount) {
  for (const int64_t E : widths())
    for (const bool bf16 : {false, true})
      for (const int64_t T : {1, 65, 700})
        for (const int threads : {1, 3}) {
          const ThreadCount count(threads);
          expect_same_bytes(embedded(on(kernels(), numerics_of(bf16)), T, E),
                            embedded(on(ref_kernels(), numerics_of(bf16)), T, E), fmt::format("{} x {}", T, E));
        }
}

TEST_P(EveryKernel, EmbedTakesTheRowTimesTheFactor) {
  const Buffer<float> table = copy_of(std::vector<float>{1, 2, 3, 4, 5, 6});
  Buffer<float> out(4);
  const std::vector<int32_t> ids = {2, 0};
  embed(on(kernels()), make_view(table.data(), 3, 2), ids, 10, make_view(out.data(), 2, 2));
  expect_same_bytes(out, copy_of(std::vector<float>{50, 60, 10, 20}), "rows 2 and 0");
}

TEST(Gather, RepeatRowsCopiesEveryRowSoManyTimes) {
  const int64_t N = 40, W = 130;
  const Buffer<float> from = random_values(N * W, 2);
  for (const int64_t times : {1, 3, 64})
    for (const int64_t first : {int64_t{0}, times - 1, times + 1})
      for (const int threads : {1, 3}) {
        const ThreadCount count(threads);
        const int64_t R = N * times - first - 1;
        Buffer<float> to(R * W), want(R * W);
        repeat_rows(on(), from.view(N, W), first, times, to.view(R, W));
        for (int64_t r = 0; r < R; ++r) std::copy_n(from.view(N, W)[(first + r) / times].data, W, want.view(R, W)[r].data);
        expect_same_bytes(to, want, fmt::format("{} times from {}", times, first));
      }
}

TEST(Gather, RepeatRowsOfIntegersAndStridedRows) {
  const std::vector<int32_t> from = {1, 2, 0, 3, 4, 0};  // rows of 2, 3 apart
  std::vector<int32_t> to(8);
  TensorView<const int32_t, 2> rows = make_view(from.data(), 2, 2);
  rows.stride[0] = 3;
  repeat_rows(on(), rows, 0, 2, make_view(to.data(), 4, 2));
  EXPECT_EQ(to, (std::vector<int32_t>{1, 2, 1, 2, 3, 4, 3, 4}));
}

TEST(Gather, BadCallsNameTheNumbers) {
  Buffer<float> a(100), b(100);
  const std::vector<int32_t> ids = {1, 5};
  expect_error(ErrorCode::kShape, {"embed", "id 5", "table of 5"}, [&] { embed(on(), a.view(5, 4), ids, 1, b.view(2, 4)); });
  expect_error(ErrorCode::kShape, {"embed", "2 ids", "[3, 4]"}, [&] { embed(on(), a.view(6, 4), ids, 1, b.view(3, 4)); });
  const TensorView<const float, 2> two = a.view(2, 3);
  expect_error(ErrorCode::kShape, {"repeat_rows", "5 rows", "2 rows"}, [&] { repeat_rows(on(), two, 0, 2, b.view(5, 3)); });
  expect_error(ErrorCode::kShape, {"repeat_rows", "3 columns", "4"}, [&] { repeat_rows(on(), two, 0, 2, b.view(4, 4)); });
  expect_error(ErrorCode::kShape, {"repeat_rows", "copy -1"}, [&] { repeat_rows(on(), two, -1, 2, b.view(4, 3)); });
  expect_error(ErrorCode::kShape, {"repeat_rows", "0 times"}, [&] { repeat_rows(on(), two, 0, 0, b.view(0, 3)); });
}

}  // namespace
}  // namespace sala::ops
