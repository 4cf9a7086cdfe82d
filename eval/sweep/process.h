// A process that ends when its parent does.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

namespace sala::eval {

inline constexpr const char* kThisProgram = "sala_eval";

std::string host_name();
std::string process_name();  // "HOST.PID", for names of files that no other process writes

class Process {
 public:
  // words[0]: kThisProgram, or another that is looked up in PATH. Throws Error{kIo}.
  explicit Process(const std::vector<std::string>& words);
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
  const std::string& out() const { return said_[0]; }
  const std::string& errors() const { return said_[1]; }

 private:
  pid_t child_ = -1;
  int code_ = -1;
  std::array<int, 2> pipes_ = {-1, -1};  // of its stdout and stderr
  std::array<std::string, 2> said_;
};

}  // namespace sala::eval
