// YaRN (arXiv 2309.00071): interpolates the slow dimensions, keeps the fast ones. Equals Hugging Face's rule with
// `truncate`.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "sim/posenc/posenc.h"

namespace sala {

void YarnConfig::visit_fields(FieldVisitor& visit) {
  visit("rope_type", rope_type, {.help = "kind of scaling", .required = true, .allowed = {"yarn"}});
  visit("factor", factor, {"length factor", true, 1, 1e9});
  visit("original_max_position_embeddings", original_max_position_embeddings, {"length before scaling", true, 1, 9e15});
  visit("beta_fast", beta_fast, {"rotations above which a dimension keeps its frequency", false, 1e-9, 1e9});
  visit("beta_slow", beta_slow, {"rotations below which a dimension is interpolated", false, 1e-9, 1e9});
  visit("attention_factor", attention_factor, {"factor on cos and sin; null = 0.1 ln(factor) + 1", false, 0, 1e9});
}

RopeFrequencies yarn_frequencies(int64_t head_dim, double theta, const YarnConfig& yarn) {
  const auto dim = static_cast<double>(head_dim);
  const auto original = static_cast<double>(yarn.original_max_position_embeddings);
  // The dimension that turns `rotations` times within the original length.
  const auto correction = [&](double rotations) {
    return dim * std::log(original / (rotations * 2 * std::numbers::pi)) / (2 * std::log(theta));
  };
  const double low = std::max(std::floor(correction(yarn.beta_fast)), 0.0);
  const double high = std::min(std::ceil(correction(yarn.beta_slow)), dim - 1);
  RopeFrequencies out;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const auto index = static_cast<double>(i);
    const double plain = std::pow(theta, -2.0 * index / dim);
    const double ramp = std::clamp((index - low) / std::max(high - low, 0.001), 0.0, 1.0);
    out.inv_freq.push_back(static_cast<float>(plain / yarn.factor * ramp + plain * (1 - ramp)));
  }
  out.attention_factor = static_cast<float>(yarn.attention_factor.value_or(0.1 * std::log(yarn.factor) + 1));
  return out;
}

}  // namespace sala
