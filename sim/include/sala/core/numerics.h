// Named classes of arithmetic (docs/numerics.md).
#pragma once

namespace sala {

// Results are byte-identical inside a class and compared with tolerances across classes.
enum class Numerics {
  kFp32,  // fp32 everywhere; the same bytes for any thread count, chunking and instruction set
  kBf16,  // fp32 arithmetic rounded to bf16 at the reference's rounding points (spec section 2)
};
// Raised whenever any result of the fp32 class changes.
inline constexpr int kNumericsVersion = 1;

}  // namespace sala
