#include "sim/ops/norm/norm.h"

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/norm/norm_tiles.h"
#include "sim/ops/row_tiles.h"

namespace sala::ops {

void rms_norm(const Context& context, TensorView<const float, 2> x, TensorView<const float, 1> w, float eps,
              TensorView<float, 2> y) {
  const int64_t T = x.extent[0], N = x.extent[1];
  if (w.extent[0] != N) throw Error(ErrorCode::kShape, "rms_norm: the weight has {} elements, x {} columns", w.extent[0], N);
  if (y.extent != x.extent)
    throw Error(ErrorCode::kShape, "rms_norm: y is [{}, {}], x is [{}, {}]", y.extent[0], y.extent[1], T, N);
  const auto rows = [&](int64_t begin, int64_t end) {
    return NormTile{x.data + begin * x.stride[0], x.stride[0], end - begin, N, w.data, eps, context.numerics,
                    y.data + begin * y.stride[0], y.stride[0]};
  };
  SALA_ON_CUDA(context, norm(rows(0, T)));
  if (context.is_ref()) return norm_ref(rows(0, T));
  const auto run = SALA_TILE(context, norm_tile);
  for_row_tiles(context.pool, T, N, [&](int64_t begin, int64_t end) { run(rows(begin, end)); });
}

}  // namespace sala::ops
