#include "sala/core/tensor.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

namespace sala {
namespace {

TEST(TensorView, IndexesRowMajorElements) {
  std::vector<int> data(24);
  std::iota(data.begin(), data.end(), 0);
  const auto view = make_view(data.data(), 2, 3, 4);
  EXPECT_EQ(view.size(), 24);
  EXPECT_EQ(view.stride, (std::array<int64_t, 3>{12, 4, 1}));
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t k = 0; k < 4; ++k) EXPECT_EQ(view[i][j][k], i * 12 + j * 4 + k);
  view[1][2][3] = -1;
  EXPECT_EQ(data[23], -1) << "a view writes through";
}

TEST(TensorView, SlicesKeepTheStrideOfTheWhole) {
  std::vector<int> data(30);
  std::iota(data.begin(), data.end(), 0);
  TensorView<int, 2> wide{data.data(), {5, 4}, {6, 1}};  // rows of 4 in memory rows of 6
  const auto part = wide.slice(2, 4);
  EXPECT_EQ(part.extent, (std::array<int64_t, 2>{2, 4}));
  EXPECT_EQ(part.stride, wide.stride);
  EXPECT_EQ(part[0][0], 12);
  EXPECT_EQ(part[1][3], 21);
  EXPECT_EQ(wide.slice(3, 3).size(), 0);
}

TEST(TensorView, ConvertsToAViewOfConst) {
  int data[4] = {1, 2, 3, 4};
  const TensorView<const int, 2> view = make_view(data, 2, 2);
  EXPECT_EQ(view[1][0], 3);
  static_assert(!std::is_convertible_v<TensorView<const int, 2>, TensorView<int, 2>>);
}

TEST(TensorView, SizesDoNotWrapAt32Bits) {
  float one = 0;
  const auto view = make_view(&one, int64_t{1} << 21, 4096);  // never dereferenced
  EXPECT_EQ(view.size(), int64_t{1} << 33);
  EXPECT_EQ(view[(int64_t{1} << 21) - 1].data - &one, ((int64_t{1} << 21) - 1) * 4096);
}

TEST(Buffer, IsAlignedAndZero) {
  for (const int64_t size : {1, 15, 16, 17, 1000}) {
    Buffer<float> buffer(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(buffer.bytes(), size * 4);
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(buffer[i], 0.0f);
  }
}

TEST(Buffer, ResizeKeepKeepsAndResizeDiscardClears) {
  Buffer<int> buffer(3);
  for (int i = 0; i < 3; ++i) buffer[i] = i + 1;
  buffer.resize_keep(5);
  EXPECT_EQ(std::vector<int>(buffer.data(), buffer.data() + 5), (std::vector<int>{1, 2, 3, 0, 0}));
  buffer.resize_keep(2);
  EXPECT_EQ(std::vector<int>(buffer.data(), buffer.data() + 2), (std::vector<int>{1, 2}));
  buffer.resize_discard(2);
  EXPECT_EQ(buffer[0], 0);
  buffer.resize_discard(0);
  EXPECT_EQ(buffer.size(), 0);
  EXPECT_EQ(Buffer<int>().size(), 0);
}

TEST(Buffer, AMovedFromBufferIsEmpty) {
  Buffer<int> a(4);
  a[2] = 7;
  Buffer<int> b = std::move(a);
  EXPECT_EQ(b[2], 7);
  EXPECT_EQ(a.size(), 0);
  EXPECT_EQ(a.data(), nullptr);
  a = std::move(b);
  EXPECT_EQ(a.size(), 4);
  EXPECT_EQ(b.size(), 0);
  static_assert(!std::is_copy_constructible_v<Buffer<int>>);
}

TEST(Buffer, RefusesSizesThatCannotBe) {
  for (const int64_t size : {int64_t{-1}, std::numeric_limits<int64_t>::min(), int64_t{1} << 45, int64_t{1} << 61,
                             std::numeric_limits<int64_t>::max()}) {
    Buffer<double> buffer(2);
    buffer[1] = 5;
    try {
      buffer.resize_keep(size);
      FAIL() << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kMemory);
      EXPECT_NE(std::string(error.what()).find(std::to_string(size)), std::string::npos) << error.what();
    }
    EXPECT_EQ(buffer.size(), 2);
    EXPECT_EQ(buffer[1], 5) << "a failed resize_keep changes nothing";
    EXPECT_THROW(buffer.resize_discard(size), Error);
    EXPECT_EQ(buffer.size(), 0);
  }
}

}  // namespace
}  // namespace sala
