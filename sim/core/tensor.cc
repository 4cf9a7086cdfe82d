#include "sala/core/tensor.h"

#include <cstdlib>
#include <cstring>

namespace sala::internal {

void* allocate_zeroed(int64_t bytes) {
  constexpr int64_t kAlign = 64;
  if (bytes < 0 || bytes > (int64_t{1} << 46))
    throw Error(ErrorCode::kMemory, "allocate: {} bytes is not a sane size", bytes);
  const int64_t rounded = (bytes + kAlign - 1) / kAlign * kAlign;
  void* p = std::aligned_alloc(kAlign, static_cast<size_t>(rounded));
  if (p == nullptr) throw Error(ErrorCode::kMemory, "allocate: the system refused {} bytes", bytes);
  std::memset(p, 0, static_cast<size_t>(rounded));
  return p;
}

}  // namespace sala::internal
