// The user's own files: texts in place of the built-in ones (corpora.h), and tasks made of benchmark files: a NoLiMa needle
// set, books, official MRCR rows.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/corpora.h"
#include "sala/tasks/task.h"

namespace sala::tasks {

// Paths; empty = not given.
struct UserPaths {
  CorporaPaths corpora;
  std::string needles;  // NoLiMa needle set, upstream's JSON; empty = our own needles
  std::string books;    // directory of .txt books for it; empty = our own
  std::string mrcr;     // openai/mrcr rows as JSONL
  // Tokenizer that puts the rows in their bins (o200k_base for the published ones); empty = the `tokens` that they carry.
  std::string bins;
};

// Everything lives as long as this object.
class UserFiles {
 public:
  virtual ~UserFiles() = default;
  // Texts, and `files` and `hash` of everything given, also of what the tasks below are made of. Null when nothing is given.
  virtual const Corpora* corpora() const = 0;
  // `nolima_user` when needles or books are given; `mrcr_official_2`, `_4`, `_8` for the needle counts that the rows hold.
  // Their names say that their scores are not those of the built-in tasks.
  virtual const std::vector<const Task*>& tasks() const = 0;
  // What is wrong with single MRCR rows ("FILE:LINE: ...") and needle templates, which are left out; and what a needle set
  // gives away (a word that needle and question share, a keyword or name that the books hold), which stays in use.
  virtual const std::vector<std::string>& problems() const = 0;
};

// Throws Error{kIo}, Error{kFormat} or Error{kUsage} for a file that cannot be used at all.
std::unique_ptr<UserFiles> open_user_files(const UserPaths& paths);

// A task that exists in files of predictions only, by its name: `mrcr_official_N` (rows of openai/mrcr), `nolima_user`
// (NoLiMa records of somebody's needles), `nolima_direct` (their questions that ask for the needle itself, which NoLiMa's
// figures leave out). Null for other names.
std::shared_ptr<const Task> make_file_task(const std::string& name);
// The one that a NoLiMa record belongs to, by the type of its question ("onehop", "direct").
std::string nolima_file_task(std::string_view question_type);

}  // namespace sala::tasks
