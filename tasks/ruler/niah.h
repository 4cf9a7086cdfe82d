// RULER's eight needle-in-a-haystack tasks (spec tasks 1.1 to 1.4), `fixed` mode.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sala/tasks/training.h"
#include "tasks/text/values.h"

namespace sala::tasks {

enum class Haystack { kNoise, kEssay, kNeedle };

struct NiahSpec {
  std::string_view name, description;
  Haystack haystack;
  ValueKind key_kind, value_kind;
  int64_t keys, values, queries;  // effective number of keys is max(keys, queries)
};

// The eight, benchmark order.
const std::vector<NiahSpec>& niah_specs();

// Needle-task text, shared by evaluation samples and training rows.
struct NiahText {
  std::string header;         // "A special magic number is hidden ... afterwards.\n"
  std::string question;       // "\nWhat is the special magic number for KEY mentioned in the provided text?"
  std::string answer_prefix;  // " The special magic number for KEY mentioned in the provided text is"
};
// `query`: "a" or "a, b, c, and d"; singular when one value is asked for (spec 1.2).
NiahText niah_text(ValueKind value_kind, const std::string& query, bool singular);
// "One of the special magic numbers for KEY is: VALUE."
std::string needle_sentence(ValueKind value_kind, std::string_view key, std::string_view value);
void append_needle(std::string& text, ValueKind value_kind, std::string_view key, std::string_view value);
// "a" / "a, b, c, and d"
std::string join_keys(const std::vector<std::string>& keys);
inline constexpr std::string_view kNoiseSentence =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

std::unique_ptr<const Task> make_niah_task(const NiahSpec& spec);
// One haystack with many questions.
std::unique_ptr<const TrainingRows> make_niah_rows(const NiahSpec& spec);

}  // namespace sala::tasks
