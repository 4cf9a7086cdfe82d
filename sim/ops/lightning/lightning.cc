#include "sim/ops/lightning/lightning.h"

#include <algorithm>

#include "sala/core/error.h"
#include "sim/ops/context.h"
#include "sim/ops/exact_math.h"
#include "sim/ops/lightning/lightning_tiles.h"

namespace sala::ops {

// Hands a head's memory to the kernels and moves the state on.
struct LightningAccess {
  static float* head(LightningState& state, int64_t h) { return state.memory_.data() + h * state.head_size(); }
  static void advance(LightningState& state, int64_t tokens) { state.tokens_ += tokens; }
};

namespace {

constexpr int64_t kChunk = LightningState::kChunk;
constexpr int64_t kSmallestTile = int64_t{1} << 16;  // multiply-adds below which heads share a tile

void check(const char* op, const char* name, TensorView<const float, 3> x, int64_t T, int64_t H, int64_t D) {
  if (x.extent != std::array{T, H, D})
    throw Error(ErrorCode::kShape, "{}: {} is [{}, {}, {}], expected [{}, {}, {}]", op, name, x.extent[0], x.extent[1],
                x.extent[2], T, H, D);
}

void check(const char* op, TensorView<const float, 3> k, TensorView<const float, 3> v, std::span<const float> slopes,
           const LightningState& state) {
  check(op, "k", k, k.extent[0], state.heads(), state.key_dim());
  check(op, "v", v, k.extent[0], state.heads(), state.value_dim());
  if (static_cast<int64_t>(slopes.size()) != state.heads())
    throw Error(ErrorCode::kShape, "{}: {} slopes for {} heads", op, slopes.size(), state.heads());
  for (const float slope : slopes)
    if (!(slope >= 0)) throw Error(ErrorCode::kConfig, "{}: a slope is {}, expected at least 0", op, slope);
}

// exp(-s i) for all i by products in double, 64 roundings at most, then one to float32.
Decays decays_of(float slope) {
  Decays decays{};
  const double per_token = exp_exact(-static_cast<double>(slope));
  double power = 1;
  for (int64_t i = 0; i <= kChunk; ++i, power *= per_token) decays.power[i] = static_cast<float>(power);
  for (int64_t i = 0; i < kChunk; ++i) decays.to_query[i] = decays.power[kChunk - 1 - i];
  return decays;
}

struct Call {
  const Context& context;
  const TensorView<const float, 3>* q;  // null: the state only
  TensorView<const float, 3> k, v;
  std::span<const float> slopes;
  float scale;
  LightningState& state;
  const TensorView<float, 3>* o;
};

void run_head(const Call& call, int64_t h) {
  const int64_t D = call.state.key_dim(), Dv = call.state.value_dim();
  LightningTile tile;
  tile.sum = LightningAccess::head(call.state, h);
  tile.keys = tile.sum + D * Dv;
  tile.values = tile.keys + D * kChunk;
  tile.buffered = call.state.buffered();
  tile.T = call.k.extent[0];
  tile.D = D;
  tile.Dv = Dv;
  tile.k = call.k.data + h * call.k.stride[1];
  tile.v = call.v.data + h * call.v.stride[1];
  tile.k_stride = call.k.stride[0];
  tile.v_stride = call.v.stride[0];
  if (call.q != nullptr) {
    tile.q = call.q->data + h * call.q->stride[1];
    tile.o = call.o->data + h * call.o->stride[1];
    tile.q_stride = call.q->stride[0];
    tile.o_stride = call.o->stride[0];
  }
  tile.slope = call.slopes[static_cast<std::size_t>(h)];
  tile.scale = call.scale;
  if (call.context.is_ref()) return lightning_ref(tile);
  const Decays decays = decays_of(tile.slope);
  tile.decays = &decays;
  SALA_TILE(call.context, lightning_tile)(tile);
}

[[maybe_unused]] LightningRows rows_of(const Call& call) {  // in a build with CUDA
  LightningRows rows;
  rows.memory = LightningAccess::head(call.state, 0);
  rows.head_size = LightningAccess::head(call.state, 1) - rows.memory;
  rows.buffered = call.state.buffered();
  rows.T = call.k.extent[0];
  rows.H = call.state.heads();
  rows.D = call.state.key_dim();
  rows.Dv = call.state.value_dim();
  if (call.q != nullptr) rows.q = *call.q;
  if (call.o != nullptr) rows.o = *call.o;
  rows.k = call.k;
  rows.v = call.v;
  rows.scale = call.scale;
  return rows;
}

// One tile a head: the chunks of a head follow one another. Little work shares a tile.
void run_tiles(const Call& call) {
  SALA_ON_CUDA(call.context, lightning(call.context, call.slopes, rows_of(call)));
  const int64_t H = call.state.heads(), T = call.k.extent[0];
  const int64_t D = call.state.key_dim(), Dv = call.state.value_dim();
  const int64_t work = T * (2 * D * Dv + kChunk * (D + Dv));
  const int64_t heads = call.context.is_ref() ? H : std::max<int64_t>(1, kSmallestTile / work);
  call.context.pool.run((H + heads - 1) / heads, [&](int64_t tile, int) {
    for (int64_t h = tile * heads; h < std::min(H, (tile + 1) * heads); ++h) run_head(call, h);
  });
}

void run(const Call& call) {
  if (call.k.extent[0] == 0) return;
  run_tiles(call);
  LightningAccess::advance(call.state, call.k.extent[0]);
}

}  // namespace

LightningState::LightningState(int64_t heads, int64_t key_dim, int64_t value_dim, Device& device)
    : heads_(heads), key_dim_(key_dim), value_dim_(value_dim), memory_(0, device) {
  if (heads < 1 || key_dim < 1 || value_dim < 1)
    throw Error(ErrorCode::kShape, "LightningState: {} heads of {} x {}, expected at least 1", heads, key_dim, value_dim);
  memory_.resize_discard(heads * head_size());
}

void LightningState::reset() {
  memory_.device().clear(memory_.data(), memory_.bytes());
  tokens_ = 0;
}

int64_t lightning_scratch_bytes(int64_t rows, int64_t heads, int64_t key_dim, int64_t value_dim, const Workers& workers) {
  if (!workers.cuda) return 0;
  const int64_t chunks = (kChunk - 1 + rows) / kChunk;
  return Workspace::bytes_of<float>(heads * (kChunk + 1)) +
         Workspace::bytes_of<float>((chunks + 1) * heads * key_dim * value_dim);
}

void lightning(const Context& context, TensorView<const float, 3> q, TensorView<const float, 3> k,
               TensorView<const float, 3> v, std::span<const float> slopes, float scale, LightningState& state,
               TensorView<float, 3> o) {
  check("lightning", k, v, slopes, state);
  check("lightning", "q", q, k.extent[0], state.heads(), state.key_dim());
  check("lightning", "o", o, k.extent[0], state.heads(), state.value_dim());
  run({context, &q, k, v, slopes, scale, state, &o});
}

void lightning_update(const Context& context, TensorView<const float, 3> k, TensorView<const float, 3> v,
                      std::span<const float> slopes, LightningState& state) {
  check("lightning_update", k, v, slopes, state);
  run({context, nullptr, k, v, slopes, 0.0f, state, nullptr});
}

}  // namespace sala::ops
