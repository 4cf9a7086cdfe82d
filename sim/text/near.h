// Names that a mistyped word may have meant.
#pragma once

#include <string>
#include <vector>

namespace sala::text {

// The `most` candidates whose beginning, then whose whole, has the smallest edit distance to `word`; ties in alphabetical
// order.
std::vector<std::string> near_matches(const std::string& word, std::vector<std::string> candidates, std::size_t most = 3);

}  // namespace sala::text
