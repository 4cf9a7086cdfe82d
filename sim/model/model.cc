#include "sala/model/model.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "sala/core/error.h"
#include "sim/model/weights.h"

namespace sala {

// What has been packed so far.
struct Model::Packs {
  std::mutex mutex;
  std::map<std::pair<const Device*, ops::WeightLayout>, std::unique_ptr<ModelWeights>> made;
};

Model Model::load(const std::string& directory) {
  const std::filesystem::path folder(directory);
  return Model(ModelConfig::load((folder / "config.json").string()),
               [directory] { return std::make_unique<CheckpointSource>(directory); });
}

Model::Model(ModelConfig config, OpenWeights open)
    : config_(std::move(config)), open_(std::move(open)), packs_(std::make_unique<Packs>()) {
  const std::unique_ptr<WeightSource> source = open_();
  check_tensors(config_, *source);
  notes_ = source->notes();
}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;

const ModelWeights& Model::weights(const ops::Context& context) const {
  const std::lock_guard lock(packs_->mutex);
  std::unique_ptr<ModelWeights>& made = packs_->made[{&context.device, context.kernels.layout}];
  if (made == nullptr) {
    made = build_weights(context, config_, *open_());
    context.device.sync();  // sessions of other threads may use them at once
  }
  return *made;
}

int64_t Model::parameter_count() const { return sala::parameter_count(config_); }

void Model::override_config(const ModelConfig& changed) {
  changed.validate();
  const auto refuse = [](const char* field) {
    throw Error(ErrorCode::kConfig, "'{}' is part of the weights and cannot be changed after loading", field);
  };
  if (const std::string field = changed_trained_field(config_, changed); !field.empty()) refuse(field.c_str());
  for (const MixerKind& kind : mixer_kinds())  // two heads of 32 have the tensors of one head of 64
    if (config_.uses(kind.name) && !kind.shape(config_).same_heads(kind.shape(changed)))
      refuse(fmt::format("heads of {}", kind.name).c_str());
  const std::vector<TensorSpec> before = model_tensors(config_), after = model_tensors(changed);
  for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i)
    if (i >= before.size() || i >= after.size() || before[i].name != after[i].name || before[i].shape != after[i].shape)
      refuse(i < before.size() ? before[i].name.c_str() : after[i].name.c_str());
  config_ = changed;
}

}  // namespace sala
