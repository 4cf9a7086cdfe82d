#include "eval/report/aggregate.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <utility>

#include "eval/util/columns.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

struct NamedAggregate {
  std::string_view name;
  Aggregate (*function)(const GroupCells&);
};

constexpr NamedAggregate kAggregates[] = {
    {"ruler", aggregate_ruler}, {"mrcr", aggregate_mrcr}, {"nolima", aggregate_nolima}};

Aggregate make_aggregate(const GroupCells& cells) {
  const tasks::TaskTraits& traits = cells[0]->cell.task->traits();
  for (const NamedAggregate& each : kAggregates)
    if (each.name == traits.aggregate) return each.function(cells);
  throw Error(ErrorCode::kInternal, "task '{}' asks for the aggregate '{}', which does not exist", traits.name,
              traits.aggregate);
}

}  // namespace

std::vector<Aggregate> aggregate(const std::vector<CellResult>& cells) {
  std::vector<std::pair<std::string_view, GroupCells>> groups;
  for (const CellResult& cell : cells) {
    const std::string_view group = cell.cell.task->group();
    auto at = groups.begin();
    while (at != groups.end() && at->first != group) ++at;
    if (at == groups.end()) at = groups.insert(at, {group, {}});
    at->second.push_back(&cell);
  }
  std::vector<Aggregate> aggregates;
  for (const auto& [group, members] : groups)
    if (!members[0]->cell.task->traits().aggregate.empty()) aggregates.push_back(make_aggregate(members));
  return aggregates;
}

std::string length_text(int64_t length) { return length == 0 ? "-" : with_commas(length); }

double mean_diagnostic(const CellResult& cell, const std::string& name) {
  double sum = 0;
  int64_t count = 0;
  for (const SampleRecord* record : cell.records)
    for (const auto& [each, value] : record->diagnostics)
      if (each == name) sum += value, ++count;
  return count == 0 ? std::nan("") : sum / static_cast<double>(count);
}

}  // namespace sala::eval
