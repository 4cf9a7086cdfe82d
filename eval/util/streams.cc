#include "eval/util/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "sala/core/error.h"

namespace sala::eval::streams {
namespace {

Error cannot_print() {
  return Error(ErrorCode::kIo, "cannot write to standard output: {}", errno != 0 ? std::strerror(errno) : "it is not whole");
}

}  // namespace

void secure() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor)
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) {
      const int opened = ::open("/", O_RDONLY);  // the lowest that is free: this one
      if (opened < 0) return;                    // then no file can be opened either
    }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void put(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
  std::clearerr(to);
}

void print_text(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw cannot_print();
}

void finish() {
  errno = 0;
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw cannot_print();
  const int copy = ::dup(STDOUT_FILENO);  // what a network file system has not stored shows when a file is closed
  if (copy < 0 || ::close(copy) != 0) throw cannot_print();
}

}  // namespace sala::eval::streams
