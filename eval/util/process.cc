#include "eval/util/process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "eval/util/streams.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

constexpr int kNotFound = 127;  // as a shell says it

std::vector<char*> arguments(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

[[noreturn]] void not_found(const std::string& program) {
  throw Error(ErrorCode::kUnsupported, "there is no program {} here: {}", program, std::strerror(errno));
}

}  // namespace

void become(const std::vector<std::string>& words) {
  std::vector<std::string> own = words;
  streams::finish();
  execvp(own[0].c_str(), arguments(own).data());
  not_found(words[0]);
}

std::string output_of(const std::vector<std::string>& words) {
  std::vector<std::string> own = words;
  const std::vector<char*> list = arguments(own);
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw Error(ErrorCode::kIo, "{}: {}", words[0], std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) throw Error(ErrorCode::kIo, "{}: {}", words[0], std::strerror(errno));
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(list[0], list.data());
    _exit(kNotFound);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 65536> block{};
  for (ssize_t got = 0; (got = read(ends[0], block.data(), block.size())) != 0;) {
    if (got > 0) text.append(block.data(), static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotFound) {
    errno = ENOENT;
    not_found(words[0]);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw Error(ErrorCode::kIo, "{} failed on {}", words[0], words.back());
  return text;
}

}  // namespace sala::eval
