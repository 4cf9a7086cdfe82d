#include <cfloat>
#include <cmath>

#include "sim/ops/packed_keys/score-inl.h"
#include "sim/ops/select/select_tiles.h"

namespace sala::ops::SALA_ISA {
namespace {

constexpr float kLowest = -FLT_MAX;  // of a key that is not visible

SALA_INLINE void score_rows(const float* q, int64_t rows, int64_t dim, const float* panels, int count, float* scores) {
  const float* row[kMaxRows];
  int64_t r = 0;
  for (; r + kMaxRows <= rows; r += kMaxRows) {
    for (int i = 0; i < kMaxRows; ++i) row[i] = q + (r + i) * dim;
    score_tile<kMaxRows>(row, panels, count, dim, scores + r * kTileKeys);
  }
  for (int i = 0; i < static_cast<int>(rows - r); ++i) row[i] = q + (r + i) * dim;
  switch (rows - r) {
    case 1:
      score_tile<1>(row, panels, count, dim, scores + r * kTileKeys);
      break;
    case 2:
      score_tile<2>(row, panels, count, dim, scores + r * kTileKeys);
      break;
    case 3:
      score_tile<3>(row, panels, count, dim, scores + r * kTileKeys);
      break;
    case 4:
      score_tile<4>(row, panels, count, dim, scores + r * kTileKeys);
      break;
    case 5:
      score_tile<5>(row, panels, count, dim, scores + r * kTileKeys);
      break;
    default:
      break;
  }
}

SALA_INLINE int panels_of(int64_t tile, int64_t num_keys) {
  const int64_t left = num_keys - tile * kTileKeys;
  return left >= kTileKeys ? kTilePanels : static_cast<int>((left + kLanes - 1) / kLanes);
}

// Bits of keys [begin, end) of a tile, both relative to it.
SALA_INLINE uint64_t key_bits(int64_t begin, int64_t end) {
  if (end <= 0 || begin >= kTileKeys) return 0;
  const uint64_t from = begin <= 0 ? ~uint64_t{0} : ~uint64_t{0} << begin;
  return end >= kTileKeys ? from : from & ((uint64_t{1} << end) - 1);
}

// One row and one tile of 64 coarse keys, of which the first `visible` count.
SALA_INLINE void lse_add(const float* scores, int64_t visible, float* m, float* z) {
  F16 s[kTilePanels];
  for (int v = 0; v < kTilePanels; ++v) {
    s[v] = load(scores + v * kLanes);
    if (visible < kTileKeys)
      s[v] = keep_lanes(s[v], static_cast<uint32_t>(key_bits(0, visible) >> (v * kLanes)) & 0xffff, set1(kLowest));
  }
  const F16 old = load(m), largest = max(max(s[0], s[1]), max(s[2], s[3]));
  const bool moved = greater_bits(largest, old) != 0;  // otherwise exp(old - now) is 1 in every lane
  const F16 now = max(old, largest);
  for (int v = 0; v < kTilePanels; ++v) s[v] = exp_below_88(sub(s[v], now));
  const F16 sum = add(add(s[0], s[1]), add(s[2], s[3]));
  if (!moved) return store(z, add(load(z), sum));
  store(m, now);
  store(z, fma(load(z), exp_below_88(sub(old, now)), sum));
}

SALA_INLINE void lse_clear(const LseState& state, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) store(state.m + r * kLanes, set1(kLowest)), store(state.z + r * kLanes, set1(0.0f));
}

// At least e^(s - L), at most 6.2 % more: the chord of 2^x between integers lies above it. base: lse_base(L).
constexpr double kBitsPerE = 12102203.161561485;  // 2^23 / ln(2)
SALA_INLINE float lse_base(float lse) {
  const double size = lse < 0 ? -static_cast<double>(lse) : static_cast<double>(lse);
  const double rounding = 1024 + size * kBitsPerE * 0x1p-20;  // of this, of s - L in the exact sum and of e^x there
  return static_cast<float>(127.0 * (1 << 23) - static_cast<double>(lse) * kBitsPerE + rounding);
}
SALA_INLINE F16 exp_bound(F16 s, F16 base) {
  const F16 bits = min(max(fma(s, set1(static_cast<float>(kBitsPerE)), base), set1(0.0f)), set1(2130706432.0f));
#if defined(SALA_ISA_AVX512)
  return {_mm512_castsi512_ps(_mm512_cvtps_epi32(bits.v))};
#elif defined(SALA_ISA_AVX2)
  return {_mm256_castsi256_ps(_mm256_cvtps_epi32(bits.lo)), _mm256_castsi256_ps(_mm256_cvtps_epi32(bits.hi))};
#else
  return internal::lanes([&](int i) { return std::bit_cast<float>(static_cast<int32_t>(bits.v[i])); });
#endif
}

// Bits of the keys whose P may exceed `worst`.
SALA_INLINE uint64_t may_exceed(const float* scores, const float* lse, int64_t group, float worst) {
  F16 bound[kTilePanels];
  for (int64_t h = 0; h < group; ++h) {
    const F16 base = set1(lse_base(lse[h]));
    for (int v = 0; v < kTilePanels; ++v) {
      const F16 b = exp_bound(load(scores + h * kTileKeys + v * kLanes), base);
      bound[v] = h == 0 ? b : add(bound[v], b);
    }
  }
  uint64_t bits = 0;
  for (int v = 0; v < kTilePanels; ++v) bits |= static_cast<uint64_t>(greater_bits(bound[v], set1(worst))) << (v * kLanes);
  return bits;
}

// P of 16 keys; scores: [group, 64] from the first of the 16 on.
SALA_INLINE F16 exact_sum(const float* scores, const float* lse, int64_t group, bool bf16) {
  F16 sum = set1(0.0f);
  for (int64_t h = 0; h < group; ++h) {
    const F16 e = exp_below_88(min(sub(load(scores + h * kTileKeys), set1(lse[h])), set1(80.0f)));
    sum = h == 0 ? e : add(sum, e);
  }
  return bf16 ? round_bf16(sum) : sum;
}

// The k-th largest of the candidates' scores: the largest bit pattern that k of them reach (they are not negative).
float kth_largest(const Candidates& from) {
  uint32_t bits = 0;
  for (uint32_t bit = uint32_t{1} << 30; bit != 0; bit >>= 1) {
    const F16 limit = set1(std::bit_cast<float>(bits | bit));
    int64_t reach = 0;
    for (int64_t i = 0; i < from.count; i += kLanes) {
      const uint32_t below = greater_bits(limit, load(from.score + i));
      const int64_t lanes = from.count - i < kLanes ? from.count - i : kLanes;
      reach += __builtin_popcount(~below & ((uint32_t{1} << lanes) - 1));
    }
    if (reach >= from.keep) bits |= bit;
  }
  return std::bit_cast<float>(bits);
}

// Leaves the best `keep`; of equal ones the lower ids.
void prune(Candidates* c) {
  if (c->count <= c->keep) return;
  c->worst = kth_largest(*c);
  int64_t equal = c->keep, count = 0;
  for (int64_t i = 0; i < c->count; ++i) equal -= c->score[i] > c->worst ? 1 : 0;
  for (int64_t i = 0; i < c->count; ++i) {
    if (c->score[i] < c->worst || (c->score[i] == c->worst && equal-- <= 0)) continue;
    c->score[count] = c->score[i];
    c->id[count++] = c->id[i];
  }
  c->count = count;
}

void offer(Candidates* c, int32_t id, float score) {
  int64_t at = c->count;
  while (at > 0 && c->id[at - 1] > id) --at;
  if (at > 0 && c->id[at - 1] == id) {
    if (score > c->score[at - 1]) c->score[at - 1] = score;
    return;
  }
  for (int64_t i = c->count; i > at; --i) c->score[i] = c->score[i - 1], c->id[i] = c->id[i - 1];
  c->score[at] = score;
  c->id[at] = id;
  if (++c->count == c->capacity) prune(c);
}

// Key `key` has P = `p`: what that means for the blocks it overlaps.
SALA_INLINE void offer_key(const SelectTask& task, const SelectRow& row, int64_t key, float p, Candidates* c) {
  int64_t block = key / task.ratio, last = (key + task.extra) / task.ratio;
  const int64_t begin = row.first_block > task.first_block ? row.first_block : task.first_block;
  const int64_t end = row.last_block < task.last_block ? row.last_block : task.last_block;
  if (block < begin) block = begin;
  if (last >= end) last = end - 1;
  for (; block <= last; ++block) offer(c, static_cast<int32_t>(block), p);
}

SALA_INLINE void pool_key(const SelectTask& task, int64_t key, float p, float* pooled, int64_t blocks) {
  for (int64_t b = key / task.ratio; b <= (key + task.extra) / task.ratio && b < blocks; ++b)
    if (p > pooled[b]) pooled[b] = p;
}

// scores: [group, 64], of the token and the tile.
void score_token(const SelectTask& task, int64_t token, int64_t tile, const float* lse, const float* scores, Candidates* c,
                 float* pooled, int64_t pooled_stride) {
  const SelectRow& row = task.rows[token];
  const int64_t first = tile * kTileKeys;
  uint64_t bits = key_bits(row.first_key - first, row.last_key - first);
  if (pooled == nullptr) bits &= may_exceed(scores, lse, task.group, c->worst);
  for (int v = 0; v < kTilePanels; ++v) {
    uint32_t lanes = static_cast<uint32_t>(bits >> (v * kLanes)) & 0xffff;
    if (lanes == 0) continue;
    alignas(64) float p[kLanes];
    const F16 sum = exact_sum(scores + v * kLanes, lse, task.group, task.bf16);
    store(p, sum);
    if (pooled != nullptr)
      for (uint32_t left = lanes; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        pool_key(task, first + v * kLanes + lane, p[lane], pooled + token * pooled_stride, pooled_stride);
      }
    lanes &= greater_bits(sum, set1(c->worst));
    for (; lanes != 0; lanes &= lanes - 1) {
      const int lane = __builtin_ctz(lanes);
      if (p[lane] > c->worst) offer_key(task, row, first + v * kLanes + lane, p[lane], c);
    }
  }
}

}  // namespace

void select_scale(const SelectTask& task, float* q) {
  const F16 scale = set1(task.scale);
  for (int64_t t = 0; t < task.tokens; ++t)
    for (int64_t h = 0; h < task.group; ++h) {
      const float* from = task.q + t * task.q_row_stride + h * task.q_head_stride;
      float* to = q + (t * task.group + h) * task.dim;
      int64_t d = 0;
      for (; d + kLanes <= task.dim; d += kLanes) store(to + d, mul(load(from + d), scale));
      for (; d < task.dim; ++d) to[d] = from[d] * task.scale;
    }
}

void select_lse(const SelectTask& task, const float* q, const LseState& span, const LseState& state, float* scores) {
  const int64_t rows = task.tokens * task.group, most = task.visible_coarse[task.tokens - 1];
  constexpr int64_t kTiles = kLseSpan / kTileKeys;
  lse_clear(state, rows);
  for (int64_t s = task.first_span; s < task.last_span && s * kLseSpan < most; ++s) {
    lse_clear(span, rows);
    for (int64_t tile = s * kTiles; tile < (s + 1) * kTiles && tile * kTileKeys < most; ++tile) {
      const float* panels = task.coarse + tile * kTileKeys * task.dim;
      const int count = panels_of(tile, task.num_coarse);
      for (int64_t r = 0; r < rows; r += kMaxRows) {
        const int64_t n = rows - r < kMaxRows ? rows - r : kMaxRows;
        score_rows(q + r * task.dim, n, task.dim, panels, count, scores);
        for (int64_t i = 0; i < n; ++i)
          lse_add(scores + i * kTileKeys, task.visible_coarse[(r + i) / task.group] - tile * kTileKeys,
                  span.m + (r + i) * kLanes, span.z + (r + i) * kLanes);
      }
    }
    select_lse_merge(span, state, rows);
  }
}

void select_lse_merge(const LseState& later, const LseState& to, int64_t rows) {
  for (int64_t i = 0; i < rows * kLanes; i += kLanes) {
    const F16 a = load(to.m + i), b = load(later.m + i), m = max(a, b);
    store(to.m + i, m);
    store(to.z + i, fma(load(later.z + i), exp_below_88(sub(b, m)), mul(load(to.z + i), exp_below_88(sub(a, m)))));
  }
}

void select_lse_finish(const LseState& state, int64_t rows, float* m, float* z) {
  for (int64_t r = 0; r < rows; ++r) {
    const F16 lanes = load(state.m + r * kLanes);
    m[r] = largest_lane(lanes);
    z[r] = reduce_add(mul(load(state.z + r * kLanes), exp_below_88(sub(lanes, set1(m[r])))));
  }
}

void select_score(const SelectTask& task, const float* q, const float* lse, float* scores, Candidates* candidates,
                  float* pooled, int64_t pooled_stride) {
  // The tokens' keys, and those that the task's blocks overlap.
  int64_t begin = INT64_MAX, end = 0;
  for (int64_t t = 0; t < task.tokens; ++t) {
    begin = task.rows[t].first_key < begin ? task.rows[t].first_key : begin;
    end = task.rows[t].last_key > end ? task.rows[t].last_key : end;
  }
  const int64_t from = task.first_block * task.ratio - task.extra, to = task.last_block * task.ratio;
  begin = from > begin ? from : begin;
  end = to < end ? to : end;
  for (int64_t tile = begin / kTileKeys; tile * kTileKeys < end; ++tile) {
    const float* panels = task.fine + tile * kTileKeys * task.dim;
    const int count = panels_of(tile, task.num_fine);
    for (int64_t t = 0; t < task.tokens; t += task.together) {
      const int64_t n = task.tokens - t < task.together ? task.tokens - t : task.together;
      score_rows(q + t * task.group * task.dim, n * task.group, task.dim, panels, count, scores);
      for (int64_t i = t; i < t + n; ++i)
        score_token(task, i, tile, lse + i * task.group, scores + (i - t) * task.group * kTileKeys, candidates + i, pooled,
                    pooled_stride);
    }
  }
  for (int64_t t = 0; t < task.tokens; ++t) prune(candidates + t);
}

}  // namespace sala::ops::SALA_ISA
