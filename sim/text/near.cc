#include "sim/text/near.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace sala::text {
namespace {

// Levenshtein distance of `a` to all of `b` and to the nearest beginning of `b`: whoever stops early meant the whole.
std::pair<std::size_t, std::size_t> distances(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return {*std::min_element(row.begin(), row.end()), row[b.size()]};
}

}  // namespace

std::vector<std::string> near_matches(const std::string& word, std::vector<std::string> candidates, std::size_t most) {
  constexpr std::size_t kLongestWord = 100;  // of a name; distances take the square of it
  const auto letters = static_cast<std::size_t>(std::count_if(word.begin(), word.end(), [](char c) { return c != '-'; }));
  if (letters < 2 || word.size() > kLongestWord) return {};
  const std::size_t furthest = std::max<std::size_t>(1, letters / 3);
  using Match = std::pair<std::pair<std::size_t, std::size_t>, std::string>;
  std::set<Match> found;
  for (std::string& candidate : candidates)
    if (const auto distance = distances(word, candidate); distance.first <= furthest)
      found.emplace(distance, std::move(candidate));
  std::vector<std::string> names;
  for (auto match = found.begin(); match != found.end() && names.size() < most; ++match) names.push_back(match->second);
  return names;
}

std::string near_it(const std::string& word, std::vector<std::string> candidates) {
  const std::vector<std::string> names = near_matches(word, std::move(candidates));
  return names.empty() ? "" : fmt::format("; near it: {}", fmt::join(names, ", "));
}

}  // namespace sala::text
