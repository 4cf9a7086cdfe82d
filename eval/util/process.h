// Other programs, and other processes of this one.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace sala::eval {

inline constexpr const char* kThisProgram = "sala_eval";

std::string host_name();
std::string process_name();  // "HOST.PID", for names of files that no other process writes

// It ends when its parent does.
class Process {
 public:
  // words[0]: kThisProgram, or another that is looked up in PATH. At most `most_said` bytes are kept of what it says on each
  // of stdout and stderr. Throws Error{kIo}.
  explicit Process(const std::vector<std::string>& words, std::size_t most_said = std::size_t{1} << 20);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  // ends it, if it lives

  int descriptor() const { return pipes_[1]; }  // can be read when it says something on stderr, and when it has ended
  // Takes what it said; true when it has ended.
  bool poll();
  void wait();
  void interrupt() const;  // asks it to save what it has and to end
  // Once it has ended: its exit code, 127 when the program is not there, 128 + signal when one ended it.
  int code() const { return code_; }
  int64_t peak_bytes() const { return peak_bytes_; }  // most memory that it had
  const std::string& out() const { return said_[0]; }
  const std::string& errors() const { return said_[1]; }

 private:
  pid_t child_ = -1;
  int code_ = -1;
  int64_t peak_bytes_ = 0;
  std::size_t most_said_ = 0;
  std::array<int, 2> pipes_ = {-1, -1};  // of its stdout and stderr
  std::array<std::string, 2> said_;
};

// This process becomes the program words[0], found on PATH. Throws Error{kUnsupported} when there is none.
[[noreturn]] void become(const std::vector<std::string>& words);
// What the program prints on stdout. Throws Error{kUnsupported} when there is none, Error{kIo} when it fails or prints more
// than `most` bytes.
std::string output_of(const std::vector<std::string>& words, std::size_t most);

}  // namespace sala::eval
