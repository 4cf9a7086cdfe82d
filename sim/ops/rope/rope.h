// Rotary position encoding (spec 3.2), half-split pairs: dimension i turns with dimension i + D/2.
#pragma once

#include <cstdint>
#include <vector>

#include "sala/core/tensor.h"

namespace sala::ops {

struct Context;

// [dim / 2]: theta^(-2i / dim) in double, rounded to float32. Throws Error{kShape} for an odd dim or one below 2.
std::vector<float> default_inv_freq(int dim, double theta);

// cos and sin of a run of positions.
//   angle[t][i] = float(position t) * inv_freq[i], rounded to float32 as in the reference; cos and sin of it in double,
//   times factor, rounded to float32
class RopeTable {
 public:
  // inv_freq: [dim / 2]; factor: on cos and sin (YaRN's attention factor, else 1). Throws Error{kShape} when the sizes
  // disagree.
  RopeTable(int dim, std::vector<float> inv_freq, float factor);

  // Makes the rows of positions first .. first + rows - 1; keeps its memory when it suffices. Any run that holds a position
  // gives that position the same bytes. Throws Error{kShape} for a position below 0 or an angle above 2^22.
  void prepare(const Context& context, int64_t first, int64_t rows);

  int64_t dim() const { return dim_; }
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return table_.bytes(); }
  const float* cos(int64_t row) const { return table_.data() + row * dim_; }  // [D / 2]
  const float* sin(int64_t row) const { return cos(row) + dim_ / 2; }         // [D / 2]

 private:
  int64_t dim_ = 0, rows_ = 0;
  std::vector<float> inv_freq_;
  void make(const Context& context, int64_t first, int64_t rows);
  float factor_ = 1, largest_ = 0;
  Buffer<float> table_;   // [rows, D]: cos then sin
  Buffer<float> copied_;  // inv_freq_, where the table lies in other memory
};

// Rotates x: [T, H, D] float32 in place, row t by row t of the table; rows may be strided, heads too.
//   x[i], x[i + D/2] = x[i] cos - x[i + D/2] sin, x[i + D/2] cos + x[i] sin
// Each product is rounded, then the sum. Throws Error{kShape} when D or T differ from the table's. Cost: one pass, no heap.
void apply_rope(const Context& context, const RopeTable& table, TensorView<float, 3> x);

}  // namespace sala::ops
