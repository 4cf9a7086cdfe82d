#include "sim/text/near.h"

#include <algorithm>
#include <numeric>
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
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const std::string& a, const std::string& b) { return distances(word, a) < distances(word, b); });
  candidates.resize(std::min(most, candidates.size()));
  return candidates;
}

}  // namespace sala::text
