#include "sim/ops/gather/gather.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/gather/gather_tiles.h"
#include "sim/ops/row_tiles.h"

namespace sala::ops {
namespace {

template <class T>
void repeat(const Context& context, TensorView<const T, 2> from, int64_t first, int64_t times, TensorView<T, 2> to) {
  if (from.extent[1] != to.extent[1])
    throw Error(ErrorCode::kShape, "repeat_rows: from has {} columns, to has {}", from.extent[1], to.extent[1]);
  if (times < 1 || first < 0 || first + to.extent[0] > from.extent[0] * times)
    throw Error(ErrorCode::kShape, "repeat_rows: {} rows from copy {} on of {} rows, {} times each", to.extent[0], first,
                from.extent[0], times);
  SALA_ON_CUDA(context, repeat_rows(from, first, times, to));
  require_host(context, "repeat_rows");
  for_row_tiles(context.pool, to.extent[0], to.extent[1], [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::copy_n(from[(first + r) / times].data, to.extent[1], to[r].data);
  });
}

}  // namespace

void embed(const Context& context, TensorView<const float, 2> table, std::span<const int32_t> ids, float factor,
           TensorView<float, 2> out) {
  const int64_t T = out.extent[0], E = out.extent[1];
  if (static_cast<int64_t>(ids.size()) != T || table.extent[1] != E)
    throw Error(ErrorCode::kShape, "embed: {} ids of rows of {}, out is [{}, {}]", ids.size(), table.extent[1], T, E);
  for (const int32_t id : ids)
    if (id < 0 || id >= table.extent[0])
      throw Error(ErrorCode::kShape, "embed: id {} lies outside the table of {}", id, table.extent[0]);
  SALA_ON_CUDA(context, embed(context, table, ids, factor, out));
  const auto run = context.is_ref() ? &embed_ref : SALA_TILE(context, embed_row);
  for_row_tiles(context.pool, T, E, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      run(table[ids[static_cast<size_t>(t)]].data, factor, context.numerics, out[t].data, E);
  });
}

int64_t embed_scratch_bytes(int64_t rows, const Workers& workers) {
  return workers.cuda ? Workspace::bytes_of<int32_t>(rows) : 0;
}

void repeat_rows(const Context& context, TensorView<const float, 2> from, int64_t first, int64_t times,
                 TensorView<float, 2> to) {
  repeat(context, from, first, times, to);
}

void repeat_rows(const Context& context, TensorView<const int32_t, 2> from, int64_t first, int64_t times,
                 TensorView<int32_t, 2> to) {
  repeat(context, from, first, times, to);
}

}  // namespace sala::ops
