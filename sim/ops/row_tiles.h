// How ops that work row by row are cut: fixed tiles of about 16K elements, so that a tile is worth a thread's while.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sala/core/parallel.h"

namespace sala::ops {

// body(begin, end) for ranges of rows that together are [0, rows); a row has `row_size` elements.
template <class Body>
void for_row_tiles(ThreadPool& pool, int64_t rows, int64_t row_size, const Body& body) {
  constexpr int64_t kTileElements = int64_t{1} << 14;
  const int64_t step = std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, row_size));
  pool.run((rows + step - 1) / step, [&](int64_t tile, int) { body(tile * step, std::min(rows, (tile + 1) * step)); });
}

}  // namespace sala::ops
