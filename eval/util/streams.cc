#include "eval/util/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>

#include "sala/core/error.h"
#include "sim/text/printable.h"

namespace sala::eval::streams {
namespace {

constexpr std::size_t kLongestMessage = 4000;  // bytes; the refusal that lists every model is the longest

int fail(const char* program, ErrorCode code, const std::string& what) {
  std::string line = what;
  while (!line.empty() && line.back() == '\n') line.pop_back();
  note("{}: error [{}] {}\n", program, error_code_name(code), text::printable(line, kLongestMessage));
  return static_cast<int>(code);
}

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

int exit_code_of(const char* program, const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& problem) {
    return fail(program, problem.code(), problem.what());
  } catch (const std::filesystem::filesystem_error& problem) {
    return fail(program, ErrorCode::kIo, fmt::format("{}: {}", problem.path1().string(), problem.code().message()));
  } catch (const std::bad_alloc&) {
    return fail(program, ErrorCode::kMemory, "the system gave no more memory; lower --len or --chunk");
  } catch (const std::exception& problem) {
    return fail(program, ErrorCode::kInternal, problem.what());
  }
}

void finish() {
  errno = 0;
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw cannot_print();
  const int copy = ::dup(STDOUT_FILENO);  // what a network file system has not stored shows when a file is closed
  if (copy < 0 || ::close(copy) != 0) throw cannot_print();
}

}  // namespace sala::eval::streams
