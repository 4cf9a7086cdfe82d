#include "tasks/mrcr/grader.h"

#include <algorithm>

#include "tasks/mrcr/conversation.h"
#include "tasks/mrcr/sequence_matcher.h"

namespace sala::tasks {
namespace {

constexpr int64_t kDiagnosticWork =
    200'000'000;  // under a second: figures beside the score may give up sooner than the score

std::string_view without_prefix(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

MrcrGrade mrcr_grade(std::string_view response, std::string_view answer, std::string_view hash) {
  MrcrGrade grade;
  grade.prefix_hit = response.starts_with(hash);
  if (!grade.prefix_hit) return grade;
  const RatioResult result = sequence_ratio(without_prefix(response, hash), without_prefix(answer, hash));
  grade.score = result.ratio;
  grade.capped = result.capped;
  return grade;
}

std::string_view strip_leading(std::string_view response) {
  const size_t at = response.find_first_not_of("\r\n ");
  return at == std::string_view::npos ? std::string_view() : response.substr(at);
}

std::vector<std::pair<std::string, double>> mrcr_diagnostics(std::string_view response, std::string_view answer,
                                                             std::string_view hash, const std::vector<Message>& messages) {
  const std::string_view stripped = strip_leading(response);
  const MrcrGrade lenient = mrcr_grade(stripped, answer, hash);
  const bool prefix_hit = response.starts_with(hash);
  bool capped = lenient.capped;
  const auto ratio = [&](std::string_view a, std::u32string b, bool autojunk) {
    const RatioResult result = SequenceMatcher(std::move(b), autojunk, kDiagnosticWork).ratio(code_points(a));
    capped = capped || result.capped;
    return result.ratio;
  };
  const std::string_view reply = without_prefix(answer, hash), said = without_prefix(stripped, hash);
  double no_autojunk = 0;
  if (prefix_hit) no_autojunk = ratio(without_prefix(response, hash), code_points(reply), false);
  double right = 0, other = 0;
  const auto question = messages.empty() ? std::nullopt : parse_mrcr_question(messages.back().content);
  if (question) {
    right = ratio(said, code_points(reply), true);
    bool seen_right = false;
    for (size_t i = 0; i + 1 < messages.size(); ++i) {
      if (messages[i].role != "user" || messages[i + 1].role != "assistant") continue;
      if (messages[i].content != mrcr_request(question->format, question->topic) &&
          messages[i].content != "write an " + question->format + " about " + question->topic)
        continue;
      if (!seen_right && messages[i + 1].content == reply) {
        seen_right = true;
        continue;
      }
      other = std::max(other, ratio(said, code_points(messages[i + 1].content), true));
    }
  }
  return {{"prefix_hit", prefix_hit ? 1.0 : 0.0},
          {"score_stripped", lenient.score},
          {"score_no_autojunk", no_autojunk},
          {"confused", other > right ? 1.0 : 0.0},
          {"grader_capped", capped ? 1.0 : 0.0}};
}

}  // namespace sala::tasks
