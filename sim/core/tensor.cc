#include "sala/core/tensor.h"

#include <cstdlib>
#include <cstring>

namespace sala::internal {

void* allocate_zeroed(int64_t count, int64_t element_bytes) {
  constexpr int64_t kAlign = 64, kMost = int64_t{1} << 46;
  if (count < 0 || count > kMost / element_bytes)
    throw Error(ErrorCode::kMemory, "Buffer: {} elements of {} bytes is not a sane size", count, element_bytes);
  const int64_t bytes = (count * element_bytes + kAlign - 1) / kAlign * kAlign;
  void* p = std::aligned_alloc(kAlign, static_cast<size_t>(bytes));
  if (p == nullptr) throw Error(ErrorCode::kMemory, "Buffer: the system refused {} bytes", bytes);
  std::memset(p, 0, static_cast<size_t>(bytes));
  return p;
}

}  // namespace sala::internal
