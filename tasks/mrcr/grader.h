// MRCR's score (spec tasks 3.4) and what is shown beside it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::tasks {

struct MrcrGrade {
  double score = 0;  // 0 without the prefix, else the SequenceMatcher ratio of response to answer, both without the hash
  bool prefix_hit = false;  // the response starts with the hash
  bool capped = false;      // too long to compare (SequenceMatcher::kMaxWork): score is 0 and says nothing
};

// As published: nothing is stripped or folded, one leading space or newline costs the whole score. Reasoning must be cut off
// before.
MrcrGrade mrcr_grade(std::string_view response, std::string_view answer, std::string_view hash);

// Leading carriage returns, newlines and spaces removed, as evalscope does before it grades.
std::string_view strip_leading(std::string_view response);

// Figures beside the score; `messages` is the sample's conversation.
//   prefix_hit          the response starts with the hash, 0 or 1
//   score_stripped      score after strip_leading()
//   score_no_autojunk   ratio without the autojunk rule; 0 without the prefix
//   confused            1 when another instance of the request is closer to the response than the right one (hash removed if
//   it is there) grader_capped       1 when a comparison reached its work limit
std::vector<std::pair<std::string, double>> mrcr_diagnostics(std::string_view response, std::string_view answer,
                                                             std::string_view hash, const std::vector<Message>& messages);

}  // namespace sala::tasks
