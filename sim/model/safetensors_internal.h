// Shared by the safetensors reader and writer.
#pragma once

#include <cstdint>
#include <vector>

#include "sala/model/safetensors.h"

namespace sala::internal {

struct DTypeRow {
  DType dtype;
  const char* name;
  int64_t bytes;
};
// Indexed by DType.
const std::vector<DTypeRow>& dtype_rows();

}  // namespace sala::internal
