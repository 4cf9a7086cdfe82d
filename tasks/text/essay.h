// Built-in prose (spec tasks 1.11): endless, made of our own patterns and word lists, the same on every machine.
#pragma once

#include <cstdint>
#include <string>

#include "sala/tasks/task.h"

namespace sala::tasks {

// Sentence `index` of the corpus of one split, a pure function of both. Lower-case words, one capital, a full stop; no
// names, no digits, no word of a task template. Eight sentences in a row share a topic. Topic nouns belong to one split, and
// every sentence has one: no sentence is in both corpora. The first two million words of either hold none twice.
std::string essay_sentence(Split split, int64_t index);

// The same of the user's essay, again and again, when the request has one.
std::string essay_sentence(const SampleRequest& request, int64_t index);

}  // namespace sala::tasks
