// `mrcr-synth`: built-in conversations in the layout of openai/mrcr (spec tasks 3.6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/task.h"
#include "tasks/mrcr/conversation.h"

namespace sala::tasks {

inline constexpr double kMrcrMaxRatio = 0.35;        // of any other instance or near miss to the answer, by the grader
inline constexpr int64_t kMrcrMedianChars = 1800;    // of a reply, where the length has room
inline constexpr int64_t kMrcrShortestMedian = 240;  // below that autojunk is off and any two texts look alike to the grader
inline constexpr int64_t kMrcrBudgetMargin = 64;     // tokens to generate beyond the longest instance

// Requests around the n equal ones. Replies shrink first, down to kMrcrShortestMedian; then the counts go down this ladder.
struct MrcrMix {
  int64_t near_topic, near_format;  // same topic and another format; same format and another topic
  int64_t groups;                   // other requests that repeat
  int64_t examples;                 // solved conversations in the preamble
};
// Rung 0 is spec 3.6: 2n, 2n, n/2 groups, 2 examples. Rung 1: n, n. Rung 2: n/2, n/2 and one group. Rung 3: no group and one
// example; fewer pairs could not keep the targets apart.
std::vector<MrcrMix> mrcr_ladder(int64_t needles);

struct MrcrConversation {
  MrcrRow row;  // with chat, answer, hash and the counts; `tokens` is not counted
  MrcrQuestion question;
  int64_t tokens_to_generate =
      0;  // tokens of the longest instance with the hash + kMrcrBudgetMargin: says nothing about which is asked for
  std::vector<int32_t> prompt_ids;  // encode(row.chat.text + kMrcrAnswerPrefix)
  TokenOffsets offsets;             // byte offset of each of them
};

// Topics that requests of a split are about, and a hash to prepend.
const std::vector<std::string_view>& mrcr_topics_of(Split split);
std::string draw_mrcr_hash(Rng& rng, Split split);

// The conversation of sample `request.index` with `needles` equal requests. Prompt + tokens_to_generate <= request.length,
// and short of it by a few tokens only. Topics, invented names and hashes belong to request.split. The ordinal asked for is
// index mod needles + 1. Throws Error{kUsage} with a length that would do when request.length is too small.
MrcrConversation make_mrcr_conversation(int64_t needles, const SampleRequest& request, const Tokenizer& tokenizer);

}  // namespace sala::tasks
