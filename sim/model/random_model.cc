#include "sim/model/random_model.h"

#include <cmath>

#include "sala/core/parallel.h"
#include "sala/core/rng.h"

namespace sala {
namespace {

constexpr int64_t kTile = 1 << 16;

}  // namespace

RandomSource::RandomSource(const ModelConfig& config, uint64_t seed) : seed_(seed) {
  for (TensorSpec& spec : model_tensors(config)) shapes_[spec.name] = std::move(spec.shape);
}

std::vector<std::string> RandomSource::names() const {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes_) names.push_back(name);
  return names;
}

void RandomSource::read(const std::string& name, std::span<float> out) const {
  const std::vector<int64_t>& shape = shapes_.at(name);
  const bool norm = shape.size() == 1;  // away from 1, so that a norm left out is seen
  const double deviation = norm                                  ? 0.1
                           : name == "model.embed_tokens.weight" ? 1.0
                                                                 : 1.0 / std::sqrt(static_cast<double>(shape[1]));
  const auto size = static_cast<int64_t>(out.size());
  parallel_for((size + kTile - 1) / kTile, [&](int64_t tile, int) {
    Rng rng(seed_, "random_model/" + name, static_cast<uint64_t>(tile));
    for (int64_t i = tile * kTile; i < std::min(size, (tile + 1) * kTile); ++i)
      out[static_cast<std::size_t>(i)] = static_cast<float>((norm ? 1.0 : 0.0) + deviation * rng.normal());
  });
}

Model random_model(const ModelConfig& config, uint64_t seed) {
  config.validate();
  return Model(config, [config, seed] { return std::make_unique<RandomSource>(config, seed); });
}

}  // namespace sala
