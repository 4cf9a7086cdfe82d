// Tasks made of the user's own benchmark files: a NoLiMa needle set, books, official MRCR rows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::tasks {

// Paths; empty = not given.
struct UserTaskFiles {
  std::string needles;  // NoLiMa needle set, upstream's JSON; empty = our own needles
  std::string books;    // directory of .txt books for it; empty = our own
  std::string mrcr;     // openai/mrcr rows as JSONL
};

struct UserFile {
  std::string path, sha256;
};

// The tasks and what they are made of; everything lives as long as this object.
class UserTasks {
 public:
  virtual ~UserTasks() = default;
  // `nolima_user` when needles or books are given; `mrcr_official_2`, `_4`, `_8` for the needle counts that the rows hold.
  // Their names say that their scores are not those of the built-in tasks.
  virtual const std::vector<TaskInfo>& tasks() const = 0;
  virtual const std::vector<UserFile>& files() const = 0;
  // What is wrong with single MRCR rows, "FILE:LINE: ..."; the rest of the file is in use.
  virtual const std::vector<std::string>& problems() const = 0;
};

// `bins` counts the tokens that put MRCR rows in their bins (o200k_base for the published ones); null = the `tokens` that
// the rows carry. Throws Error{kIo}, Error{kFormat} or Error{kUsage} for a file that cannot be used at all.
std::unique_ptr<UserTasks> open_user_tasks(const UserTaskFiles& files, const Tokenizer* bins = nullptr);

}  // namespace sala::tasks
