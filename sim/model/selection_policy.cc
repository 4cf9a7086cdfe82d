#include "sala/model/selection_policy.h"

#include <algorithm>

namespace sala {

std::vector<int32_t> SelectionPolicy::blocks(int64_t block_size) const {
  std::vector<int32_t> ids;
  for (const TokenSpan& span : spans)
    for (int64_t block = std::max<int64_t>(0, span.begin) / block_size;
         span.begin < span.end && block * block_size < span.end; ++block)
      ids.push_back(static_cast<int32_t>(block));
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace sala
