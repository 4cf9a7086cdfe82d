#include <algorithm>

#include "eval/observe/statistic.h"

namespace sala::eval {

StatisticKind selection_statistic();  // selection.cc
StatisticKind attention_statistic();  // attention.cc
StatisticKind hidden_statistic();     // hidden.cc

namespace {

std::vector<StatisticKind>& registry() {
  static std::vector<StatisticKind> kinds = {selection_statistic(), attention_statistic(), hidden_statistic()};
  return kinds;
}

}  // namespace

const std::vector<StatisticKind>& statistics() { return registry(); }

void register_statistic(const StatisticKind& kind) {
  for (const StatisticKind& other : registry())
    if (other.name == kind.name) throw Error(ErrorCode::kConfig, "there is a statistic '{}' already", kind.name);
  if (!is_word(kind.name)) throw Error(ErrorCode::kConfig, "statistic '{}': expected letters, digits and _", kind.name);
  registry().push_back(kind);
}

}  // namespace sala::eval
