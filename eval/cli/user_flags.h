// The flags that say what samples are made of: the mode, and the user's own files; shared by run, generate and score.
#pragma once

#include <memory>
#include <string>

#include "eval/cli/flags.h"
#include "sala/tasks/user_files.h"

namespace sala::eval {

struct UserFlags {
  tasks::UserPaths paths;
  std::string mode_word = "fixed";
  tasks::Mode mode() const { return mode_word == "upstream" ? tasks::Mode::kUpstream : tasks::Mode::kFixed; }
};
// with_mode: false where the ids of samples say it.
void add_user_flags(Command& command, UserFlags& flags, bool with_mode = true);

// Opens the files; their SHA-256s (unless `quiet`), and what is wrong with single rows, go to stderr behind `command`.
// Throws as tasks::open_user_files().
std::unique_ptr<const tasks::UserFiles> open_user_files(const UserFlags& flags, const std::string& command, bool quiet);

}  // namespace sala::eval
