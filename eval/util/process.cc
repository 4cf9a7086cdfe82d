#include "eval/util/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "eval/util/streams.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

constexpr int kNoProgram = 127, kSignalled = 128;

Error start_error() { return Error(ErrorCode::kIo, "cannot start a process: {}", std::strerror(errno)); }

[[noreturn]] void not_found(const std::string& program) {
  throw Error(ErrorCode::kUnsupported, "there is no program {} here: {}", program, std::strerror(ENOENT));
}

// For exec, which changes none of them.
std::vector<char*> arguments_of(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

void close_both(std::array<int, 2>& pair) {
  for (int& end : pair)
    if (end >= 0) ::close(std::exchange(end, -1));
}

// In the child, between fork and exec: system calls only.
[[noreturn]] void become_child(char* const* words, bool this_program, const std::array<int, 2>& out,
                               const std::array<int, 2>& err, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kNoProgram);
  ::setpgid(0, 0);  // a terminal's Ctrl-C goes to the parent, which asks its children to end
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(out[1], 1) < 0 || ::dup2(err[1], 2) < 0) ::_exit(kNoProgram);
  if (this_program)
    ::execv("/proc/self/exe", words);
  else
    ::execvp(words[0], words);
  ::_exit(kNoProgram);
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::string process_name() { return host_name() + "." + std::to_string(::getpid()); }

Process::Process(const std::vector<std::string>& words, std::size_t most_said) : most_said_(most_said) {
  const std::vector<char*> arguments = arguments_of(words);
  std::array<int, 2> out = {-1, -1}, err = {-1, -1};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) throw start_error();
  if (::pipe2(err.data(), O_CLOEXEC) != 0) {
    const Error failure = start_error();
    close_both(out);
    throw failure;
  }
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ == 0) become_child(arguments.data(), words[0] == kThisProgram, out, err, parent);
  const Error failure = start_error();
  ::close(std::exchange(out[1], -1));
  ::close(std::exchange(err[1], -1));
  pipes_ = {out[0], err[0]};
  if (child_ < 0) {
    close_both(pipes_);
    throw failure;
  }
  for (const int end : pipes_) ::fcntl(end, F_SETFL, O_NONBLOCK);
}

Process::Process(Process&& other) noexcept { *this = std::move(other); }

Process& Process::operator=(Process&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(code_, other.code_);
  std::swap(peak_bytes_, other.peak_bytes_);
  std::swap(most_said_, other.most_said_);
  std::swap(pipes_, other.pipes_);
  std::swap(said_, other.said_);
  return *this;
}

Process::~Process() {
  if (child_ > 0 && code_ < 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  close_both(pipes_);
}

bool Process::poll() {
  if (code_ >= 0) return true;
  bool open = false;
  for (std::size_t i = 0; i < pipes_.size(); ++i) {
    if (pipes_[i] < 0) continue;
    char block[4096];
    ssize_t count = 0;
    while ((count = ::read(pipes_[i], block, sizeof block)) > 0)
      said_[i].append(block, std::min(static_cast<std::size_t>(count), most_said_ - said_[i].size()));
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
      open = true;
    else if (i == 0)
      ::close(std::exchange(pipes_[i], -1));
  }
  if (open) return false;
  int status = 0;
  rusage used;
  if (::wait4(child_, &status, WNOHANG, &used) != child_) return false;
  peak_bytes_ = int64_t{used.ru_maxrss} * 1024;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
  return true;
}

void Process::wait() {
  while (!poll()) {
    std::array<pollfd, 2> waited = {pollfd{pipes_[0], POLLIN, 0}, pollfd{pipes_[1], POLLIN, 0}};  // -1: none
    ::poll(waited.data(), waited.size(), 50);
  }
}

void Process::interrupt() const {
  if (code_ < 0) ::kill(child_, SIGTERM);
}

void become(const std::vector<std::string>& words) {
  streams::finish();
  ::execvp(words[0].c_str(), arguments_of(words).data());
  not_found(words[0]);
}

std::string output_of(const std::vector<std::string>& words, std::size_t most) {
  Process process(words, most + 1);
  process.wait();
  if (process.code() == kNoProgram) not_found(words[0]);
  if (process.code() != 0) throw Error(ErrorCode::kIo, "{} failed on {}", words[0], words.back());
  if (process.out().size() > most)
    throw Error(ErrorCode::kIo, "{} prints more than {} MiB of {}", words[0], most >> 20, words.back());
  return process.out();
}

}  // namespace sala::eval
