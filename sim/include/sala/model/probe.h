// What an observer of a session implements.
#pragma once

#include <cstdint>
#include <span>

#include "sala/core/tensor.h"

namespace sala {

// Observes what layers do; never influences it. Called from one thread, positions ascending within a layer.
class SessionProbe {
 public:
  virtual ~SessionProbe() = default;
  // True when the selection of the query at `position` (0-based, BOS included) is to be reported.
  virtual bool wants(int64_t position) const = 0;
  // blocks: [Hkv, slots] selected block ids, ascending, padded with -1. scores: [Hkv, num_blocks] pooled block scores
  // (spec 4.5; +inf marks a forced block, -inf an empty one). block_size in tokens. With one selection per block, this is
  // the choice of the block's first query. A layer that runs dense (full-attn, or below dense_len) reports none.
  virtual void on_selection(int layer, int64_t position, int64_t block_size, TensorView<const int32_t, 2> blocks,
                            TensorView<const float, 2> scores) = 0;

  // True when the attention of the query at `position` is to be reported. Costs what the attention of that query costs.
  virtual bool wants_attention(int64_t) const { return false; }
  // Softmax layers, once a query head: the keys that the query reads, by position, ascending, and its scaled logits for
  // them. Their softmax is the attention. Computed once more for the observer: equal to the layer's own up to rounding.
  virtual void on_attention(int /*layer*/, int64_t /*position*/, int64_t /*head*/, std::span<const int64_t> /*keys*/,
                            std::span<const float> /*logits*/) {}
  // The hidden states h behind every layer of every chunk (layer -1 = embedding): [T, E], row 0 at `first_position`. Of the
  // last layer only the rows that logits are made of, whether the others are computed or not.
  virtual void on_hidden(int /*layer*/, int64_t /*first_position*/, TensorView<const float, 2> /*hidden*/) {}
};

}  // namespace sala
