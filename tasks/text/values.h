// Keys and values of the needle tasks (spec tasks 1.3) and the split of their space.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sala/core/rng.h"
#include "sala/tasks/task.h"

namespace sala::tasks {

enum class ValueKind { kWord, kNumber, kUuid };

// A quarter of all strings is for evaluation, the rest for training; the rule looks at the string alone, by its hash.
uint64_t value_hash(std::string_view value);
inline Split split_of(uint64_t value_hash) { return value_hash % 4 == 0 ? Split::kEval : Split::kTrain; }
inline Split split_of(std::string_view value) { return split_of(value_hash(value)); }
// Draws until the string belongs to `split`, and returns its hash. Words are adjective-noun, numbers have 7 digits,
// uuids are version 4.
uint64_t draw_value(Rng& rng, ValueKind kind, Split split, std::string& value);
std::string draw_value(Rng& rng, ValueKind kind, Split split);
// With the user's adjectives and nouns when the request has them: such words know no split.
uint64_t draw_value(Rng& rng, ValueKind kind, const SampleRequest& request, std::string& value);

}  // namespace sala::tasks
