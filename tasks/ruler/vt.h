// RULER's variable tracking (spec tasks 1.2 and 1.5), shared by evaluation samples and training rows.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/training.h"

namespace sala::tasks {

inline constexpr int64_t kVtHops = 4;
inline constexpr int64_t kVtExampleTokens = 500;  // upstream's limit for the solved example

// A chain: `VAR A = 12345`, `VAR B = VAR A `, ... Hop lines end with a space, the first does not.
struct VtChain {
  std::string value;
  std::vector<std::string> names, lines;
};
// The lines of a chain over these names.
VtChain make_vt_chain(std::string value, std::vector<std::string> names);
// `count` names of `letters` capital letters of the split, none in `used` (they are added), none "VAR".
std::vector<std::string> draw_vt_names(Rng& rng, Split split, int letters, int64_t count, std::set<std::string>& used);
// Five digits of the split, from 10000 to 99998 as upstream draws them, not in `used`.
std::string draw_vt_value(Rng& rng, Split split, std::set<std::string>& used);

struct VtText {
  std::string header;         // "Memorize and track ... following text.\n\n"
  std::string question;       // "\nQuestion: Find all variables ..."
  std::string answer_prefix;  // " Answer: According to ..., they are: "
};
VtText vt_text(std::string_view value, int64_t num_variables);

// `units` noise lines with the chain's lines among them, one per line: line j goes before noise line positions[j],
// ascending.
void append_vt_context(std::string& text, const VtChain& chain, const std::vector<int64_t>& positions, int64_t units);
// Where the chain's lines go: distinct units below `units` while there are enough of them, ascending.
std::vector<int64_t> draw_vt_positions(Rng& rng, int64_t units, int64_t count);

std::unique_ptr<const Task> make_vt_task();
// Several chains among noise lines, a question for each; some rows as the evaluation has them.
std::unique_ptr<const TrainingRows> make_vt_rows();

}  // namespace sala::tasks
