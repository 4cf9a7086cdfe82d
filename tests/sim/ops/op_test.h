// Shared by the tests of the ops: every kernel of this machine, random inputs, comparisons that print the worst element.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "sala/core/parallel.h"
#include "sala/core/rng.h"
#include "sala/core/tensor.h"
#include "sim/ops/context.h"
#include "tests/sim/cuda.h"
#include "tests/sim/expect_error.h"

namespace sala::ops {

// Kernels have run when their launch returns: a test reads what they wrote without waiting.
inline const bool kLaunchesBlock = setenv("CUDA_LAUNCH_BLOCKING", "1", 0) == 0;

inline const Kernels& cuda_kernels() { return find_kernels("cuda", Device::Kind::kCuda); }
// All that this machine runs but `ref`: they must agree with `ref` within a tolerance and with each other to the bit.
inline std::vector<Kernels> tile_kernels() {
  std::vector<Kernels> found;
  for (const Kernels& kernels : available_kernels())
    if (!kernels.is_ref()) found.push_back(kernels);
  if (has_cuda()) found.push_back(cuda_kernels());
  return found;
}
inline const Kernels& ref_kernels() { return find_kernels("ref"); }
// With the default pool and a workspace that grows.
inline Context on(const Kernels& kernels = find_kernels("best"), Numerics numerics = Numerics::kFp32) {
  static thread_local Workspace workspace;
  if (kernels.isa != Isa::kCuda) return {cpu_device(), kernels, numerics, workspace, default_pool()};
  static thread_local Workspace on_device(0, cuda_device());
  return {cuda_device(), kernels, numerics, on_device, default_pool()};
}
// Where operands lie, so that the kernels of every device reach what the test reads and writes.
inline Device& memory() { return has_cuda() ? cuda_host_device() : cpu_device(); }
namespace test {
// A Buffer there. Each test says `using test::Buffer;`.
template <class T>
class Buffer : public sala::Buffer<T> {
 public:
  Buffer() : sala::Buffer<T>(0, memory()) {}
  explicit Buffer(int64_t size) : sala::Buffer<T>(size, memory()) {}
};
}  // namespace test
inline Numerics numerics_of(bool bf16) { return bf16 ? Numerics::kBf16 : Numerics::kFp32; }

// Those of tile_kernels(), and of CUDA devices also where there is none.
inline std::vector<Kernels> tested_kernels() {
  std::vector<Kernels> tested = tile_kernels();
  if (!has_cuda()) tested.push_back(cuda_kernels());
  return tested;
}
// TEST_P(EveryKernel, ...) runs for each of tested_kernels() after INSTANTIATE_EVERY_KERNEL().
class EveryKernel : public testing::TestWithParam<Kernels> {
 protected:
  void SetUp() override {
    if (kernels().isa == Isa::kCuda) SALA_SKIP_WITHOUT_CUDA();
  }
  const Kernels& kernels() const { return GetParam(); }
};
inline void PrintTo(const Kernels& kernels, std::ostream* out) { *out << kernels.name; }
#define INSTANTIATE_EVERY_KERNEL()                                                \
  INSTANTIATE_TEST_SUITE_P(Ops, EveryKernel, testing::ValuesIn(tested_kernels()), \
                           [](const testing::TestParamInfo<Kernels>& test) { return std::string(test.param.name); })

// Uniform in [-1, 1); depends on (seed, count) alone.
inline test::Buffer<float> random_values(int64_t count, uint64_t seed) {
  Rng rng(seed, "tests/ops", static_cast<uint64_t>(count));
  test::Buffer<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(2 * rng.uniform() - 1);
  return values;
}
inline test::Buffer<float> copy_of(std::span<const float> from) {
  test::Buffer<float> to(static_cast<int64_t>(from.size()));
  std::copy(from.begin(), from.end(), to.data());
  return to;
}
inline test::Buffer<float> copy_of(const Buffer<float>& from) {
  test::Buffer<float> to(from.size());
  if (from.size() > 0) std::memcpy(to.data(), from.data(), static_cast<size_t>(from.bytes()));
  return to;
}

// Byte for byte, so that -0 and 0 differ and a NaN equals itself.
inline void expect_same_bytes(const Buffer<float>& got, const Buffer<float>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  int64_t different = 0, first = -1;
  for (int64_t i = 0; i < got.size(); ++i)
    if (std::memcmp(got.data() + i, want.data() + i, sizeof(float)) != 0 && different++ == 0) first = i;
  EXPECT_EQ(different, 0) << what << ": first at " << first << ", " << (first < 0 ? 0 : got[first]) << " and "
                          << (first < 0 ? 0 : want[first]);
}

// max |got - want| <= tolerance * max(|want|, floor).
inline void expect_close(const Buffer<float>& got, const Buffer<float>& want, double tolerance, const std::string& what,
                         double floor = 0) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double largest = floor, worst = 0;
  int64_t where = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(want[i])));
    const double difference = std::fabs(static_cast<double>(got[i]) - want[i]);
    if (!(difference <= worst)) worst = difference, where = i;
  }
  if (want.size() == 0) return;
  EXPECT_LE(worst, tolerance * largest) << what << ": element " << where << " is " << got[where] << ", expected "
                                        << want[where];
}

// Sets the thread count and puts back the old one at the end.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~ThreadCount() { set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace sala::ops
