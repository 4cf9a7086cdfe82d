#include "eval/spec/select_by.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/mixers/mixer.h"

namespace sala::eval {

std::vector<std::string> select_names() {
  std::vector<std::string> names;
  for (const SelectByInfo& info : select_by_table()) names.emplace_back(info.name);
  return names;
}

std::string select_name(SelectBy by) { return std::string(info_of(by).name); }

SelectBy select_of_name(const std::string& name) {
  for (const SelectByInfo& info : select_by_table())
    if (info.name == name) return info.by;
  throw Error(ErrorCode::kUsage, "--select: '{}' is none of {}", name, fmt::join(select_names(), ", "));
}

std::string select_sentence(SelectBy by) {
  if (by == SelectBy::kLearned) return "";
  const SelectByInfo& info = info_of(by);
  return fmt::format("Selection {}: {}, so these are no scores of the model alone.", info.phrase, info.meaning);
}

SelectionPolicy policy_for(SelectBy by, const tasks::Sample& sample, int64_t shift, uint64_t seed) {
  SelectionPolicy policy;
  policy.by = by;
  if (by == SelectBy::kLearned) return policy;
  if (by == SelectBy::kRandom) {
    policy.seed = stable_hash(sample.id, seed);
    return policy;
  }
  for (const tasks::Evidence& evidence : sample.evidence)
    policy.spans.push_back({evidence.token_begin + shift, evidence.token_end + shift});
  if (policy.spans.empty())
    throw Error(ErrorCode::kUnsupported, "--select {}: sample '{}' does not say where its evidence stands", select_name(by),
                sample.id);
  return policy;
}

void check_select(SelectBy by, const std::string& model, const ModelConfig& config, int64_t tokens) {
  if (by == SelectBy::kLearned) return;
  const std::optional<int64_t> from = selects_from(config);
  if (!from)
    throw Error(ErrorCode::kUsage, "--select {}: {} has no layer that selects blocks (layers {}); leave it out",
                select_name(by), model, layer_map_string(config.mixer_types));
  if (tokens < *from)
    throw Error(ErrorCode::kUsage, "--select {}: {} reads prompts shorter than {} tokens dense; give --dense-len 0",
                select_name(by), model, *from);
}

}  // namespace sala::eval
