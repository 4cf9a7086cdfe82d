// Built-in question collections (spec tasks 1.11): `qa-synth-1`, one paragraph answers, and `qa-synth-2`, two documents
// answer. Document and question `i` of a split are pure functions of both; nothing is stored. Entities of the two splits are
// disjoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sala/tasks/corpora.h"
#include "sala/tasks/task.h"

namespace sala::tasks {

struct SynthQuestion {
  std::string question, answer;
};

// Articles on towns, rivers, companies or people of an invented region: 20 to 40 paragraphs of 90 to 160 words, each on one
// entity with 3 to 5 of the six attributes of its article. A question asks one attribute; its answer, an invented name,
// stands in one paragraph of the whole collection, and other paragraphs of the article state the same attribute for other
// entities.
struct QaSynth1 {
  static constexpr int64_t kSlots = 40;  // paragraph i of article a is document a * kSlots + i
  static int64_t num_documents(Split split);
  static bool has_document(Split split, int64_t id);  // articles shorter than kSlots leave gaps
  static std::string document(Split split, int64_t id);
  static int64_t num_questions(Split split);
  static QaQuestion question(Split split, int64_t number);
  // Everything that a document states, asked.
  static std::vector<SynthQuestion> questions(Split split, int64_t document);
};

// Bridge questions ("In which village was the founder of the company A born?") over a document on A and one on its founder,
// with four more such pairs of the same kinds, all ten of them `gold` in the sense of spec 1.8, the first two `support`. A
// document is "title\nsentences", as HotpotQA's.
struct QaSynth2 {
  static constexpr int64_t kPairs = 5;
  static int64_t num_documents(Split split);
  static std::string document(Split split, int64_t id);
  static int64_t num_questions(Split split);
  static QaQuestion question(Split split, int64_t number);
  // What the two documents of a pair answer: the bridge question and its two steps ("Who was the founder of the company
  // A?").
  static std::vector<SynthQuestion> questions(Split split, int64_t number, int64_t pair);
};

}  // namespace sala::tasks
