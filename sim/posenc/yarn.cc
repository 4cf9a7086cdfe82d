// YaRN (arXiv 2309.00071): interpolates the slow dimensions, keeps the fast ones. Equals Hugging Face's rule with
// `truncate`.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "sim/posenc/rope.h"

namespace sala {
namespace {

constexpr const char *kTheta = "theta", *kFactor = "factor", *kOriginal = "original_max_position_embeddings";
constexpr const char *kBetaFast = "beta_fast", *kBetaSlow = "beta_slow", *kAttentionFactor = "attention_factor";

RopeFrequencies yarn_frequencies(int64_t head_dim, const EncodingParams& params) {
  const double theta = params.at(kTheta), factor = params.at(kFactor);
  const auto dim = static_cast<double>(head_dim);
  const auto original = params.at(kOriginal);
  // The dimension that turns `rotations` times within the original length.
  const auto correction = [&](double rotations) {
    return dim * std::log(original / (rotations * 2 * std::numbers::pi)) / (2 * std::log(theta));
  };
  const double low = std::max(std::floor(correction(params.at(kBetaFast))), 0.0);
  const double high = std::min(std::ceil(correction(params.at(kBetaSlow))), dim - 1);
  RopeFrequencies out;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const auto index = static_cast<double>(i);
    const double plain = std::pow(theta, -2.0 * index / dim);
    const double ramp = std::clamp((index - low) / std::max(high - low, 0.001), 0.0, 1.0);
    out.inv_freq.push_back(static_cast<float>(plain / factor * ramp + plain * (1 - ramp)));
  }
  const auto given = params.find(kAttentionFactor);
  out.attention_factor = static_cast<float>(given != params.end() ? given->second : 0.1 * std::log(factor) + 1);
  return out;
}

}  // namespace

void YarnConfig::visit_fields(FieldVisitor& visit) {
  visit("rope_type", rope_type, {.help = "kind of scaling", .required = true, .allowed = {"yarn"}});
  visit("factor", factor, {"length factor", true, 1, 1e9});
  visit("original_max_position_embeddings", original_max_position_embeddings, {"length before scaling", true, 1, 9e15});
  visit("beta_fast", beta_fast, {"rotations above which a dimension keeps its frequency", false, 1e-9, 1e9});
  visit("beta_slow", beta_slow, {"rotations below which a dimension is interpolated", false, 1e-9, 1e9});
  visit("attention_factor", attention_factor, {"factor on cos and sin; null = 0.1 ln(factor) + 1", false, 0, 1e9});
}

EncodingChoice yarn_encoding(double theta, const YarnConfig& yarn) {
  EncodingChoice choice{"yarn",
                        {{kTheta, theta},
                         {kFactor, yarn.factor},
                         {kOriginal, static_cast<double>(yarn.original_max_position_embeddings)},
                         {kBetaFast, yarn.beta_fast},
                         {kBetaSlow, yarn.beta_slow}}};
  if (yarn.attention_factor) choice.params[kAttentionFactor] = *yarn.attention_factor;
  return choice;
}

PositionEncodingKind yarn_kind() {
  const YarnConfig usual;
  PositionEncodingKind kind;
  kind.name = yarn_encoding(0, usual).type;
  kind.title = "YaRN";
  kind.description = "rotary encoding with YaRN length scaling (softmax layers)";
  kind.params = {
      {.name = kTheta, .help = "base; default rope_theta", .min = std::nextafter(1.0, 2.0), .max = 1e18},
      {.name = kFactor, .help = "length factor", .min = 1, .max = 1e9},
      {.name = kOriginal, .help = "length before scaling", .min = 1, .max = 9e15},
      {.name = kBetaFast,
       .help = "rotations that keep their frequency",
       .fallback = usual.beta_fast,
       .min = 1e-9,
       .max = 1e9},
      {.name = kBetaSlow, .help = "rotations that are interpolated", .fallback = usual.beta_slow, .min = 1e-9, .max = 1e9},
      {.name = kAttentionFactor, .help = "factor on cos and sin", .optional = true, .min = 0, .max = 1e9}};
  kind.released = [](const ModelConfig& config) {
    return config.rope_scaling ? yarn_encoding(config.rope_theta, *config.rope_scaling).params
                               : rope_encoding(config.rope_theta).params;
  };
  kind.note = [](const EncodingParams& params) {
    return fmt::format("YaRN: from {:.0f} tokens to {:g} times that", params.at(kOriginal), params.at(kFactor));
  };
  kind.make = [](int64_t head_dim, const EncodingParams& params) -> std::unique_ptr<PositionEncoding> {
    return std::make_unique<RotaryEncoding>(head_dim, yarn_frequencies(head_dim, params));
  };
  return kind;
}

}  // namespace sala
