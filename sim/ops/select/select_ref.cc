#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "sim/ops/exact_math.h"
#include "sim/ops/ref_counts.h"

namespace sala::ops {
namespace {

double dot(TensorView<const float, 1> q, const PackedKeys& keys, int64_t j, int64_t g, int64_t& multiply_adds) {
  double sum = 0;
  for (int64_t d = 0; d < keys.dim(); ++d) sum += static_cast<double>(q[d]) * keys.at(j, g, d), ++multiply_adds;
  return sum;
}

// Windows whose last token is not after the position.
int64_t visible(int64_t position, int64_t kernel, int64_t stride) {
  int64_t count = 0;
  while (count * stride + kernel - 1 <= position) ++count;
  return count;
}

// P of the visible fine keys, summed over the heads of KV head g.
std::vector<double> group_scores(TensorView<const float, 2> q, const PackedKeys& fine, const PackedKeys& coarse, int64_t g,
                                 int64_t num_fine, int64_t num_coarse, const SelectParams& params, Numerics numerics,
                                 int64_t& multiply_adds) {
  const int64_t group = q.extent[0] / fine.kv_heads();
  std::vector<double> p(static_cast<size_t>(num_fine), 0.0);
  for (int64_t h = g * group; h < (g + 1) * group; ++h) {
    std::vector<double> rough;
    for (int64_t j = 0; j < num_coarse; ++j) rough.push_back(params.scale * dot(q[h], coarse, j, g, multiply_adds));
    const double largest = *std::max_element(rough.begin(), rough.end());
    double sum = 0;
    for (const double s : rough) sum += std::exp(s - largest);
    const double lse = largest + std::log(sum);
    for (int64_t j = 0; j < num_fine; ++j)
      p[static_cast<size_t>(j)] += std::exp(std::min(params.scale * dot(q[h], fine, j, g, multiply_adds) - lse, 80.0));
  }
  if (numerics == Numerics::kBf16)
    for (double& value : p) value = round_to_bf16(value);
  return p;
}

// The blocks of one KV head that are read, ascending.
std::vector<int32_t> ranked(const std::vector<double>& score, const std::vector<bool>& forced, int64_t position, int64_t g,
                            const SelectParams& params) {
  const auto holds = [](std::span<const int32_t> list, int32_t b) { return std::count(list.begin(), list.end(), b) > 0; };
  std::vector<int32_t> order;
  int64_t num_forced = 0;
  for (int32_t b = 0; b < static_cast<int32_t>(score.size()); ++b) {
    const bool is_forced = forced[static_cast<size_t>(b)];
    num_forced += is_forced;
    if (is_forced || !holds(params.barred, b)) order.push_back(b);
  }
  std::vector<int32_t> drawn;
  if (params.draw) {
    const auto begin = std::find(forced.begin(), forced.end(), false);  // what is not forced lies together
    const auto end = std::find(begin, forced.end(), true);
    drawn =
        random_blocks(*params.draw, position, g, begin - forced.begin(), end - forced.begin(), params.slots() - num_forced);
  }
  const auto place = [&](int32_t b) {  // lower comes first
    if (forced[static_cast<size_t>(b)]) return 0;
    return holds(params.preferred, b) || holds(drawn, b) ? 1 : 2;
  };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const int first = place(a), second = place(b);
    if (first != second) return first < second;
    return first == 2 && score[static_cast<size_t>(a)] > score[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(std::min(static_cast<int64_t>(order.size()), params.slots())));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

void select_ref(TensorView<const float, 2> q, const PackedKeys& fine, const PackedKeys& coarse, int64_t position,
                const SelectParams& params, Numerics numerics, TensorView<int32_t, 2> blocks, TensorView<float, 2> scores,
                int64_t& multiply_adds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const int64_t ratio = params.block_size / params.kernel_stride, extra = params.kernel_size / params.kernel_stride - 1;
  const int64_t own = position / params.block_size, factor = params.exact_lse ? 1 : SelectParams::kCoarse;
  const int64_t num_fine = visible(position, params.kernel_size, params.kernel_stride);
  const int64_t num_coarse = visible(position, factor * params.kernel_size, factor * params.kernel_stride);
  for (int64_t g = 0; g < fine.kv_heads(); ++g) {
    std::vector<double> p;
    if (num_coarse > 0)
      p = group_scores(q, fine, params.exact_lse ? fine : coarse, g, num_fine, num_coarse, params, numerics, multiply_adds);
    std::vector<double> score(static_cast<size_t>(own + 1), num_coarse > 0 ? -kInfinity : kInfinity);
    std::vector<bool> forced(static_cast<size_t>(own + 1));
    for (int64_t b = 0; b <= own; ++b) {
      const auto at = static_cast<size_t>(b);
      for (int64_t j = std::max<int64_t>(0, ratio * b - extra); j < std::min(num_fine, ratio * (b + 1)) && num_coarse > 0;
           ++j)
        score[at] = std::max(score[at], p[static_cast<size_t>(j)]);
      forced[at] = b < params.init_blocks || b >= own - params.window_size / params.block_size;
      if (forced[at]) score[at] = kInfinity;
    }
    const std::vector<int32_t> order = ranked(score, forced, position, g, params);
    for (int64_t s = 0; s < params.slots(); ++s)
      blocks[g][s] = s < static_cast<int64_t>(order.size()) ? order[static_cast<size_t>(s)] : -1;
    for (int64_t b = 0; scores.data != nullptr && b < scores.extent[1]; ++b)
      scores[g][b] = static_cast<float>(b <= own ? score[static_cast<size_t>(b)] : -kInfinity);
  }
}

void select_ref(TensorView<const float, 2> q, const PackedKeys& fine, const PackedKeys& coarse, int64_t position,
                const SelectParams& params, Numerics numerics, TensorView<int32_t, 2> blocks, TensorView<float, 2> scores) {
  int64_t ignored = 0;
  select_ref(q, fine, coarse, position, params, numerics, blocks, scores, ignored);
}

}  // namespace sala::ops
