// NoLiMa needle sets: upstream's file schema (spec tasks 2.1), its expansion into question-needle pairs, and our own set
// (2.7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::tasks {

struct NamedText {
  std::string name, text;
};

struct NeedleTest {
  std::string id;                         // "T01"
  std::vector<std::string> input_args;    // {1}, {2}, {3}
  std::vector<std::string> gold_answers;  // of needles without {CHAR}
};

struct NeedleTemplate {
  std::string id;  // four digits, then a suffix that marks the inverted twin
  std::string reasoning_type, system_prompt, task_template, needle;
  std::vector<NamedText> questions;  // file order
  std::vector<std::string> character_set;
  std::vector<NeedleTest> tests;       // file order
  std::vector<NamedText> distractors;  // by question name
  std::string group;                   // ours: `landmark`, ...; empty in upstream's files

  int64_t number() const;  // the four digits, part of upstream's seed
  bool inverted() const { return id.size() > 4; }
};

using NeedleSet = std::vector<NeedleTemplate>;

// One template, question and test.
struct NeedlePair {
  std::string id;             // `9001_T01_onehop`
  size_t template_index = 0;  // into the set
  std::string test_id, question_name;
  std::string needle;             // arguments in place, {CHAR} still open
  std::string question;           // arguments in place
  std::string distractor;         // likewise; empty when the template has none
  std::string needle_word;        // argument 1, Wn
  std::vector<std::string> gold;  // empty when the name that is chosen is the answer
};

// Upstream's expansion: template x question x test. The question is built anew from its text for each argument, so it may
// hold one argument only.
std::vector<NeedlePair> expand_needle_set(const NeedleSet& set);

// Throws Error{kFormat} with `origin`, the template and the field that is missing or wrong; Error{kIo} for the file.
// With `problems`, a template that is wrong is left out and said there, unless no other remains.
NeedleSet parse_needle_set(std::string_view json, const std::string& origin, std::vector<std::string>* problems = nullptr);
NeedleSet load_needle_set(const std::string& path);
// The same schema back, for other programs and for a look.
std::string format_needle_set(const NeedleSet& set);

// `nolima-own`, from tasks/data/nolima/facts.json. The splits share questions, but no needle wording, no needle keyword
// (argument 1) and no name (needle_names()): keywords and names are divided by split_of(). At most 8 tests a template in
// kEval, so that no group outweighs the others.
const NeedleSet& own_needle_set(Split split);
// What a small model must know to answer: every association of both splits as plain sentences ("The Charminar stands in
// Hyderabad."), for training texts.
const std::vector<std::string>& own_facts();

// {CHAR} and {1} to {9} in `text`.
std::string replace_placeholder(std::string text, std::string_view placeholder, std::string_view value);

}  // namespace sala::tasks
