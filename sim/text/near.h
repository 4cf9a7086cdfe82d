// Names that a mistyped word may have meant.
#pragma once

#include <string>
#include <vector>

namespace sala::text {

// The candidates whose beginning is at most a third of the letters of `word` away from it, by edit distance, but never all
// of them; at most `most`, the nearest first, then those whose whole is nearer, then in alphabetical order.
std::vector<std::string> near_matches(const std::string& word, std::vector<std::string> candidates, std::size_t most = 3);
// The same for a message: "; near it: a, b", or "" when none is near.
std::string near_it(const std::string& word, std::vector<std::string> candidates);

}  // namespace sala::text
