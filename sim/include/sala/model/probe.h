// What an observer of block selection implements.
#pragma once

#include <cstdint>

#include "sala/core/tensor.h"

namespace sala {

// Observes block selection; never influences it. With one selection per block, what is reported for a query is the choice of
// its block's first query. Called from one thread, positions ascending within a layer. A layer that runs dense (full-attn,
// or below dense_len) selects nothing and reports nothing.
class SelectionProbe {
 public:
  virtual ~SelectionProbe() = default;
  // True when the selection of the query at `position` (0-based, BOS included) is to be reported.
  virtual bool wants(int64_t position) const = 0;
  // blocks: [Hkv, slots] selected block ids, ascending, padded with -1. scores: [Hkv, num_blocks] pooled block scores
  // (spec 4.5; +inf marks a forced block, -inf an empty one). block_size in tokens.
  virtual void on_selection(int layer, int64_t position, int64_t block_size, TensorView<const int32_t, 2> blocks,
                            TensorView<const float, 2> scores) = 0;
};

}  // namespace sala
