// Everything that spec tasks 3.6 demands of one built-in conversation, as test expectations.
#pragma once

#include "tasks/mrcr/synth.h"

namespace sala::tasks {

// `rung`: which line of mrcr_ladder() the conversation must have at least.
void expect_sound(const MrcrConversation& made, int64_t needles, const SampleRequest& request, const Tokenizer& tokenizer,
                  size_t rung);

}  // namespace sala::tasks
