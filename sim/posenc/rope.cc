#include "sim/posenc/rope.h"

#include "sala/core/error.h"

namespace sala {

RopeFrequencies rope_frequencies(int64_t head_dim, double theta) {
  return {ops::default_inv_freq(static_cast<int>(head_dim), theta), 1.0f};
}

RotaryEncoding::RotaryEncoding(int64_t head_dim, const RopeFrequencies& frequencies)
    : head_dim_(head_dim),
      chunk_{ops::RopeTable(static_cast<int>(head_dim), frequencies.inv_freq, frequencies.attention_factor)},
      row_{ops::RopeTable(static_cast<int>(head_dim), frequencies.inv_freq, frequencies.attention_factor)} {}

void RotaryEncoding::rotate(const ops::Context& context, int64_t first_position, TensorView<float, 3> x) {
  Table& used = x.extent[0] == 1 ? row_ : chunk_;
  if (used.first != first_position || used.rows != x.extent[0]) {
    used.table.prepare(context, first_position, x.extent[0]);
    used.first = first_position;
    used.rows = x.extent[0];
  }
  ops::apply_rope(context, used.table, x);
}

}  // namespace sala
