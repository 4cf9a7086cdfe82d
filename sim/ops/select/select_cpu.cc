#include <cfloat>
#include <cmath>

#include "sala/core/online_softmax.h"
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

// How much of the next tile there is.
SALA_INLINE int64_t next_floats(int64_t tile, int64_t num_keys, int64_t dim) {
  return (tile + 1) * kTileKeys >= num_keys ? 0 : panels_of(tile + 1, num_keys) * dim * kLanes;
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

// At least e^(s - L), at most 6.2 % more: the chord of 2^x between integers lies above it. base: lse_base(L). Where e^(s -
// L) is out of range a NaN may come instead.
constexpr double kBitsPerE = 12102203.161561485;  // 2^23 / ln(2)
SALA_INLINE float lse_base(float lse) {
  const double size = lse < 0 ? -static_cast<double>(lse) : static_cast<double>(lse);
  const double rounding = 1024 + size * kBitsPerE * 0x1p-20;  // of this, of s - L in the exact sum and of e^x there
  return static_cast<float>(127.0 * (1 << 23) - static_cast<double>(lse) * kBitsPerE + rounding);
}
SALA_INLINE F16 exp_bound(F16 s, F16 base) {
  const F16 bits = min(fma(s, set1(static_cast<float>(kBitsPerE)), base), set1(2130706432.0f));
#if defined(SALA_ISA_AVX512)
  return {_mm512_castsi512_ps(_mm512_cvtps_epu32(bits.v))};  // below 0: all bits, a NaN
#elif defined(SALA_ISA_AVX2)
  const __m256 zero = _mm256_setzero_ps();
  return {_mm256_castsi256_ps(_mm256_cvtps_epi32(_mm256_max_ps(bits.lo, zero))),
          _mm256_castsi256_ps(_mm256_cvtps_epi32(_mm256_max_ps(bits.hi, zero)))};
#else
  return internal::lanes(
      [&](int i) { return std::bit_cast<float>(static_cast<int32_t>(bits.v[i] > 0 ? bits.v[i] : 0.0f)); });
#endif
}

// Bit i: lane i of a is greater than that of b or a NaN.
SALA_INLINE uint32_t not_below_bits(F16 a, F16 b) {
#if defined(SALA_ISA_AVX512)
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_NLE_UQ);
#elif defined(SALA_ISA_AVX2)
  const auto bits = [](__m256 x, __m256 y) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_NLE_UQ)));
  };
  return bits(a.lo, b.lo) | bits(a.hi, b.hi) << 8;
#else
  uint32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= static_cast<uint32_t>(!(a.v[i] <= b.v[i])) << i;
  return bits;
#endif
}

// Bit i: ids[i] is `id`, of 16.
SALA_INLINE uint32_t equal_bits(const int32_t* ids, int32_t id) {
#if defined(SALA_ISA_AVX512)
  return _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(ids), _mm512_set1_epi32(id));
#elif defined(SALA_ISA_AVX2)
  const auto bits = [&](int from) {
    const __m256i eight = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ids + from));
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(eight, _mm256_set1_epi32(id)))));
  };
  return bits(0) | bits(8) << 8;
#else
  uint32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= static_cast<uint32_t>(ids[i] == id) << i;
  return bits;
#endif
}

// Bits of the keys whose P may exceed `worst`.
SALA_INLINE uint64_t may_exceed(const float* scores, const float* base, int64_t group, float worst) {
  F16 bound[kTilePanels];
  const F16 first = set1(base[0]);
  for (int v = 0; v < kTilePanels; ++v) bound[v] = exp_bound(load(scores + v * kLanes), first);
  for (int64_t h = 1; h < group; ++h) {
    const F16 next = set1(base[h]);
    for (int v = 0; v < kTilePanels; ++v)
      bound[v] = add(bound[v], exp_bound(load(scores + h * kTileKeys + v * kLanes), next));
  }
  uint64_t bits = 0;
  for (int v = 0; v < kTilePanels; ++v) bits |= static_cast<uint64_t>(not_below_bits(bound[v], set1(worst))) << (v * kLanes);
  return bits;
}

// P of 16 keys; scores: [group, 64] from the first of the 16 on.
SALA_INLINE F16 exact_sum(const float* scores, const float* lse, int64_t group, Numerics numerics) {
  F16 sum = set1(0.0f);
  for (int64_t h = 0; h < group; ++h) {
    const F16 e = exp_below_88(min(sub(load(scores + h * kTileKeys), set1(lse[h])), set1(80.0f)));
    sum = h == 0 ? e : add(sum, e);
  }
  return rounded(numerics, sum);
}

SALA_INLINE float smallest(const float* values, int64_t count) {
  F16 least = load(values);
  for (int64_t i = kLanes; i < count; i += kLanes) least = min(least, load(values + i));
  return -largest_lane(sub(set1(0.0f), least));
}

// A block with a score above c->worst: raises the score of the candidate with this id, or takes the place of the worst one,
// of equal ones of that with the largest id.
SALA_INLINE void offer(Candidates* c, int32_t id, float score) {
  int64_t place = -1;
  for (int64_t i = 0; i < c->capacity && place < 0; i += kLanes)
    if (const uint32_t same = equal_bits(c->id + i, id); same != 0) place = i + __builtin_ctz(same);
  if (place >= 0) {
    if (score <= c->score[place]) return;
  } else {
    for (int64_t i = 0; i < c->capacity; i += kLanes)
      for (uint32_t equal = ~greater_bits(load(c->score + i), set1(c->worst)) & 0xffff; equal != 0; equal &= equal - 1) {
        const int64_t lane = i + __builtin_ctz(equal);
        if (place < 0 || c->id[lane] > c->id[place]) place = lane;
      }
  }
  c->score[place] = score;
  c->id[place] = id;
  c->worst = smallest(c->score, c->capacity);
}

struct Blocks {
  int64_t begin, end;
};

// What P of 16 keys from `key` on means for the blocks that they overlap. lanes: which of them may matter.
SALA_INLINE void pool(const SelectTask& task, int64_t key, F16 p, uint32_t lanes, Blocks may_choose, Candidates* c,
                      float* pooled) {
  const auto first = static_cast<uint32_t>(key), ratio = static_cast<uint32_t>(task.ratio),
             extra = static_cast<uint32_t>(task.extra);
  const uint32_t last_block = (first + kLanes - 1 + extra) / ratio;
  for (uint32_t block = first / ratio; block <= last_block; ++block) {
    const auto id = static_cast<int64_t>(block);
    const uint64_t overlap = key_bits(id * ratio - extra - key, (id + 1) * ratio - key);
    const uint32_t mine = lanes & static_cast<uint32_t>(overlap) & 0xffff;
    if (mine == 0) continue;
    const float score = largest_lane(keep_lanes(p, mine, set1(-1.0f)));
    if (pooled != nullptr && score > pooled[id]) pooled[id] = score;
    if (score > c->worst && id >= may_choose.begin && id < may_choose.end && (task.barred == nullptr || !task.barred[id]))
      offer(c, static_cast<int32_t>(id), score);
  }
}

// scores: [group, 64], of the token and the tile; lse, base: of the token's heads.
SALA_INLINE void score_token(const SelectTask& task, const SelectRow& row, int64_t tile, const float* lse, const float* base,
                             const float* scores, Candidates* c, float* pooled) {
  const int64_t first = tile * kTileKeys;
  uint64_t bits = pooled != nullptr ? ~uint64_t{0} : may_exceed(scores, base, task.group, c->worst);
  if (bits == 0) return;
  bits &= key_bits(row.first_key - first, row.last_key - first);
  const Blocks may_choose{row.first_block > task.first_block ? row.first_block : task.first_block,
                          row.last_block < task.last_block ? row.last_block : task.last_block};
  for (int v = 0; v < kTilePanels; ++v) {
    const uint32_t lanes = static_cast<uint32_t>(bits >> (v * kLanes)) & 0xffff;
    if (lanes == 0) continue;
    const F16 p = exact_sum(scores + v * kLanes, lse, task.group, task.numerics);
    const uint32_t better = pooled != nullptr ? lanes : lanes & greater_bits(p, set1(c->worst));
    if (better != 0) pool(task, first + v * kLanes, p, better, may_choose, c, pooled);
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

void select_lse(const SelectTask& task, const SelectScratch& scratch, const LseState& state) {
  const LseState& span = scratch.span;
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
        prefetch_part(panels + kTileKeys * task.dim, next_floats(tile, task.num_coarse, task.dim), r / kMaxRows,
                      (rows + kMaxRows - 1) / kMaxRows);
        score_rows(scratch.q + r * task.dim, n, task.dim, panels, count, scratch.scores);
        for (int64_t i = 0; i < n; ++i)
          lse_add(scratch.scores + i * kTileKeys, task.visible_coarse[(r + i) / task.group] - tile * kTileKeys,
                  span.m + (r + i) * kLanes, span.z + (r + i) * kLanes);
      }
    }
    select_lse_merge(span, state, rows);
  }
}

void select_lse_merge(const LseState& later, const LseState& to, int64_t rows) {
  for (int64_t i = 0; i < rows * kLanes; i += kLanes) {
    const MergeWeights<F16> weights = merge_weights(load(to.m + i), load(later.m + i), set1(1.0f));
    store(to.m + i, weights.m);
    store(to.z + i, merge(load(to.z + i), load(later.z + i), weights));
  }
}

void select_lse_finish(const LseState& state, int64_t rows, float* m, float* z) {
  for (int64_t r = 0; r < rows; ++r) {
    const F16 lanes = load(state.m + r * kLanes);
    m[r] = largest_lane(lanes);
    z[r] = reduce_add(mul(load(state.z + r * kLanes), exp_below_88(sub(lanes, set1(m[r])))));
  }
}

void select_score(const SelectTask& task, const SelectScratch& scratch, Candidates* candidates, float* pooled,
                  int64_t pooled_stride) {
  // The tokens' keys, and those that the task's blocks overlap.
  int64_t begin = INT64_MAX, end = 0;
  for (int64_t t = 0; t < task.tokens; ++t) {
    begin = task.rows[t].first_key < begin ? task.rows[t].first_key : begin;
    end = task.rows[t].last_key > end ? task.rows[t].last_key : end;
  }
  const int64_t from = task.first_block * task.ratio - task.extra, to = task.last_block * task.ratio, group = task.group;
  begin = from > begin ? from : begin;
  end = to < end ? to : end;
  for (int64_t r = 0; r < task.tokens * group; ++r) scratch.base[r] = lse_base(scratch.lse[r]);
  for (int64_t tile = begin / kTileKeys; tile * kTileKeys < end; ++tile) {
    const float* panels = task.fine + tile * kTileKeys * task.dim;
    const int count = panels_of(tile, task.num_fine);
    for (int64_t t = 0; t < task.tokens; t += task.together) {
      const int64_t n = task.tokens - t < task.together ? task.tokens - t : task.together;
      prefetch_part(panels + kTileKeys * task.dim, next_floats(tile, task.num_fine, task.dim), t / task.together,
                    (task.tokens + task.together - 1) / task.together);
      score_rows(scratch.q + t * group * task.dim, n * group, task.dim, panels, count, scratch.scores);
      for (int64_t i = t; i < t + n; ++i)
        score_token(task, task.rows[i], tile, scratch.lse + i * group, scratch.base + i * group,
                    scratch.scores + (i - t) * group * kTileKeys, candidates + i,
                    pooled == nullptr ? nullptr : pooled + i * pooled_stride);
    }
  }
}

}  // namespace sala::ops::SALA_ISA
