#include "eval/observe/statistic.h"

#include <algorithm>
#include <cmath>

namespace sala::eval {

Axis probe_axis(const std::string& group, const std::map<int, std::vector<int64_t>>& positions, SampleArrays& into) {
  const std::vector<int64_t>& first = positions.begin()->second;
  for (const auto& [layer, seen] : positions)
    if (seen != first)
      throw Error(ErrorCode::kInternal, "statistic '{}': layer {} reported other queries than the layers before it", group,
                  layer);
  const Axis probe{group + "/probe", static_cast<int64_t>(first.size())};
  into.arrays.push_back(
      named_array(group + "/probe_position", {probe}, first,
                  {.units = "tokens", .meaning = "position of the query, prefix_tokens counted", .padding = -1}));
  return probe;
}

bool SampleObserver::Member::reads(std::string_view site) const {
  return std::find(sites.begin(), sites.end(), site) != sites.end();
}

SampleObserver::SampleObserver(const Watch& watch) {
  for (const StatisticKind& kind : statistics()) {
    std::unique_ptr<Statistic> statistic = kind.make(watch);
    std::vector<std::string> sites = statistic->sites();
    members_.push_back({kind.name, kind.figures, std::move(statistic), std::move(sites)});
  }
}

std::vector<std::string> SampleObserver::sites() const {
  std::vector<std::string> all;
  for (const Member& member : members_)
    for (const std::string& site : member.sites)
      if (std::find(all.begin(), all.end(), site) == all.end()) all.push_back(site);
  return all;
}

bool SampleObserver::wants(std::string_view site, int layer, int64_t position) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
    return member.reads(site) && member.statistic->wants(site, layer, position);
  });
}

void SampleObserver::on_tap(const Tap& tap) {
  for (const Member& member : members_)
    if (member.reads(tap.site)) member.statistic->on_tap(tap);
}

Findings SampleObserver::take() {
  Findings all;
  for (const Member& member : members_) {
    Findings found = member.statistic->take();
    const auto own = [&](const std::string& path) {
      return path == member.name || path.compare(0, member.name.size() + 1, member.name + "/") == 0;
    };
    for (NamedArray& array : found.arrays.arrays) {
      for (const Axis& axis : array.axes)
        if (!own(axis.name))
          throw Error(ErrorCode::kInternal, "statistic '{}' has an axis '{}' outside its group", member.name, axis.name);
      if (!own(array.path))
        throw Error(ErrorCode::kInternal, "statistic '{}' has an array '{}' outside its group", member.name, array.path);
      all.arrays.arrays.push_back(std::move(array));
    }
    for (GroupAttribute& attribute : found.arrays.attributes) {
      if (!own(attribute.group))
        throw Error(ErrorCode::kInternal, "statistic '{}' has an attribute of '{}' outside its group", member.name,
                    attribute.group);
      all.arrays.attributes.push_back(std::move(attribute));
    }
    for (Figure& figure : found.figures) {
      if (!std::isfinite(figure.second))
        throw Error(ErrorCode::kInternal, "statistic '{}': figure '{}' is no finite number", member.name, figure.first);
      if (std::none_of(member.figures.begin(), member.figures.end(),
                       [&](const auto& kind) { return kind.name == figure.first; }))
        throw Error(ErrorCode::kInternal, "statistic '{}' does not name its figure '{}'", member.name, figure.first);
      for (const Figure& other : all.figures)
        if (other.first == figure.first)
          throw Error(ErrorCode::kInternal, "statistic '{}': another one has a figure '{}' too", member.name, figure.first);
      all.figures.push_back(std::move(figure));
    }
  }
  check_arrays(all.arrays, ErrorCode::kInternal);
  return all;
}

}  // namespace sala::eval
