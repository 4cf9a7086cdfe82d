// The one exception type of SALA Lab and the exit code of each kind of error.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace sala {

// What went wrong. The value is the exit code of the command line (documented in docs/errors.md).
// 0 = done, 1 = score gate missed and 130 = interrupted are not errors and have no value here.
enum class ErrorCode : int {
  kUsage = 2,        // the command line asks for something that does not exist
  kConfig = 3,       // a config has missing, wrong or contradictory fields
  kShape = 4,        // extents disagree
  kIo = 5,           // the operating system refused: missing file, full disk, no permission
  kFormat = 6,       // a file is not what it claims to be
  kMemory = 7,       // the run does not fit in the memory allowed
  kUnsupported = 8,  // a valid request that this build or version cannot serve
  kInternal = 9,     // a defect of ours
};

// Name as printed between brackets: "usage", "config", ...
const char* error_code_name(ErrorCode code);

class Error : public std::runtime_error {
 public:
  template <class... Args>
  Error(ErrorCode code, fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace sala

// For our own invariants only; user input must never reach it. Active unless NDEBUG.
#ifdef NDEBUG
#define SALA_DCHECK(condition) ((void)0)
#else
#define SALA_DCHECK(condition)                                                                                     \
  do {                                                                                                             \
    if (!(condition))                                                                                              \
      throw ::sala::Error(::sala::ErrorCode::kInternal, "{}:{}: SALA_DCHECK({})", __FILE__, __LINE__, #condition); \
  } while (0)
#endif
