// RULER's post-processing and metrics (spec tasks 1.10).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sala::tasks {

// str.lower() of Python on UTF-8, by code points, final sigma included; bytes that are no UTF-8 stay as they are.
std::string lower(std::string_view text);
// Strips Python whitespace (Unicode's, as str.strip()), turns every code point below 0x20 into a newline, strips again.
std::string postprocess_prediction(std::string_view prediction);
// Mean over references of [lower(reference) is a substring of lower(post-processed prediction)], 0..1; 0 without references.
double string_match_all(std::string_view prediction, const std::vector<std::string>& references);
// 1 when any reference matches, else 0.
double string_match_part(std::string_view prediction, const std::vector<std::string>& references);
// The same two with a stricter test: no letter or digit may touch the match, so that "rob" is not found in "robot" (spec
// tasks 5, pitfall 10). Shown beside upstream's metric, never in its place.
double word_match_all(std::string_view prediction, const std::vector<std::string>& references);
double word_match_part(std::string_view prediction, const std::vector<std::string>& references);

}  // namespace sala::tasks
