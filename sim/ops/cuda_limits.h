// What kernels of a CUDA device take.
#pragma once

#include <cstdint>

namespace sala::ops {

inline constexpr int64_t kMostHeadDims = 256;  // of attention, selection and Lightning

}  // namespace sala::ops
