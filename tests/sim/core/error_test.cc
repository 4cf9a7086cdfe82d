#include "sala/core/error.h"

#include <gtest/gtest.h>

#include <set>

namespace sala {
namespace {

struct Row {
  ErrorCode code;
  int exit_code;
  const char* name;
};

// The table of docs/errors.md: scripts and batch systems rely on these numbers.
constexpr Row kTable[] = {
    {ErrorCode::kUsage, 2, "usage"},
    {ErrorCode::kConfig, 3, "config"},
    {ErrorCode::kShape, 4, "shape"},
    {ErrorCode::kIo, 5, "io"},
    {ErrorCode::kFormat, 6, "format"},
    {ErrorCode::kMemory, 7, "memory"},
    {ErrorCode::kUnsupported, 8, "unsupported"},
    {ErrorCode::kInternal, 9, "internal"},
};

TEST(Error, EachCodeHasItsExitCodeAndItsName) {
  for (const Row& row : kTable) {
    EXPECT_EQ(static_cast<int>(row.code), row.exit_code) << row.name;
    EXPECT_STREQ(error_code_name(row.code), row.name);
  }
}

TEST(Error, ExitCodesAreDistinctAndLeaveTheReservedOnesFree) {
  std::set<int> seen;
  for (const Row& row : kTable) {
    EXPECT_TRUE(seen.insert(static_cast<int>(row.code)).second) << row.name;
    EXPECT_GT(static_cast<int>(row.code), 1) << "0 is success, 1 a missed score gate";
    EXPECT_LT(static_cast<int>(row.code), 126) << "126 and above belong to the shell";
  }
}

TEST(Error, KeepsItsCodeAndFormatsItsMessage) {
  try {
    throw Error(ErrorCode::kShape, "topk_blocks: out has {} slots, topk is {}", 32, int64_t{64});
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "topk_blocks: out has 32 slots, topk is 64");
    const auto* ours = dynamic_cast<const Error*>(&error);
    ASSERT_NE(ours, nullptr);
    EXPECT_EQ(ours->code(), ErrorCode::kShape);
  }
}

}  // namespace
}  // namespace sala
