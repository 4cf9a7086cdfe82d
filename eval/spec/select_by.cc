#include "eval/spec/select_by.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/mixers/mixer.h"

namespace sala::eval {

const std::vector<std::string>& select_names() {
  static const std::vector<std::string> names = {"learned", "oracle", "adversary", "random"};
  return names;
}

std::string select_name(SelectBy by) { return select_names()[static_cast<std::size_t>(by)]; }

SelectBy select_of_name(const std::string& name) {
  const auto& names = select_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Error(ErrorCode::kUsage, "--select: '{}' is none of {}", name, fmt::join(names, ", "));
  return static_cast<SelectBy>(found - names.begin());
}

std::string select_sentence(SelectBy by) {
  switch (by) {
    case SelectBy::kLearned:
      return "";
    case SelectBy::kOracle:
      return "Selection by an oracle: the free slots of every query take the blocks with evidence first, so these are no "
             "scores "
             "of the model alone.";
    case SelectBy::kAdversary:
      return "Selection by an adversary: blocks with evidence are read only where they are always read (the first blocks "
             "and the "
             "window), so these are no scores of the model alone.";
    case SelectBy::kRandom:
      return "Selection at random: the free slots of every query hold blocks drawn uniformly, so these are no scores of the "
             "model "
             "alone.";
  }
  return "";
}

SelectionPolicy policy_for(SelectBy by, const tasks::Sample& sample, int64_t shift, uint64_t seed) {
  using Kind = SelectionPolicy::Kind;
  SelectionPolicy policy;
  if (by == SelectBy::kLearned) return policy;
  if (by == SelectBy::kRandom) {
    policy.kind = Kind::kRandom;
    policy.seed = stable_hash(sample.id, seed);
    return policy;
  }
  policy.kind = by == SelectBy::kOracle ? Kind::kForceIn : Kind::kForceOut;
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
