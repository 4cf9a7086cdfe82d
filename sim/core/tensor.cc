#include "sala/core/tensor.h"

namespace sala::internal {

int64_t checked_bytes(int64_t count, int64_t element_bytes) {
  constexpr int64_t kMost = int64_t{1} << 46;
  if (count < 0 || count > kMost / element_bytes)
    throw Error(ErrorCode::kMemory, "Buffer: {} elements of {} bytes is not a sane size", count, element_bytes);
  return count * element_bytes;
}

}  // namespace sala::internal
