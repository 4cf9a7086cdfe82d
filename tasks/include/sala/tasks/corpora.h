// The user's own texts in place of the built-in ones (spec tasks 1.8 and 1.11): essays, word lists, SQuAD, HotpotQA.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sala::tasks {

// Paths; empty = the built-in text.
struct CorporaPaths {
  std::string essay;      // JSON {"text": ...}, JSONL of {"text": ...} (lines joined by a space), or plain text
  std::string sentences;  // of the essay: one a line, or a JSON list; empty = split by a rule
  std::string words;      // directory that may hold nounlist.txt, adjectivelist.txt and verblist.txt
  std::string nouns, adjectives, verbs;  // one word per line; a file named here goes before the directory's
  std::string english;   // the long list of cwe: JSON object whose values are the words, or one word per line
  std::string squad;     // SQuAD JSON
  std::string hotpotqa;  // HotpotQA distractor JSON
};

struct CorpusFile {
  // `essay`, `sentences`, `nouns`, `adjectives`, `verbs`, `english`, `squad`, `hotpotqa`; `needles`, `book NAME`, `mrcr`
  // (user_files.h)
  std::string role, path;
  std::string sha256;  // 64 hexadecimal digits
  int64_t bytes = 0;
};

struct QaQuestion {
  std::string question;
  std::vector<std::string> answers;
  // Indexes into QaCollection::documents. support: what the answer follows from, always in the prompt, part of gold. gold:
  // before all others in the prompt, so many together as `group` says or none of them. more: the other paragraphs of the
  // same article, preferred as distractors.
  std::vector<int64_t> gold, support, more;
  int64_t group = 1;
};

struct QaCollection {
  std::vector<std::string> documents;  // sorted, distinct
  std::vector<QaQuestion> questions;   // answerable ones, file order
  bool empty() const { return questions.empty(); }
};

// Immutable once loaded. A part that no file was given for is empty.
struct Corpora {
  Corpora() = default;
  Corpora(const Corpora&) = delete;  // the views below look into essay_text

  std::vector<CorpusFile> files;
  std::string hash;  // 16 hexadecimal digits over roles and SHA-256s; empty without files

  std::string essay_text;                         // every run of whitespace made one space
  std::vector<std::string_view> essay_words;      // essay_text split at spaces
  std::vector<std::string_view> essay_sentences;  // essay_text by the user's splits or the rule (tasks/text/sentences.h)
  bool own_sentences = false;                     // they are the user's
  std::vector<std::string> nouns, adjectives, verbs, english;
  QaCollection squad, hotpotqa;
};

// Reads and checks the files. `others`: files that whole tasks are made of, for `files` and `hash`. Throws Error{kIo} for a
// file that cannot be read, Error{kFormat} with file and line or byte for one that is not what it should be.
std::unique_ptr<const Corpora> load_corpora(const CorporaPaths& paths, const std::vector<CorpusFile>& others = {});

}  // namespace sala::tasks
