// Runs the built sala_eval as a user would: words, environment, what it prints, how it ends.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/model/small_model.h"

namespace sala::eval {

using Words = std::vector<std::string>;

inline Words joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

struct Finished {
  int code = -1;  // exit code; 128 + signal when one ended it
  std::string out, err;
  int64_t peak_bytes = 0;  // most memory that it had
};

class Program {
 public:
  // Output goes to files in `folder`, which is also the working directory.
  explicit Program(const std::string& folder) : folder_(folder) {}
  std::map<std::string, std::string> environment;
  rlim_t largest_file = RLIM_INFINITY;
  std::string standard_output, standard_error;  // instead of a file
  std::vector<int> closed;                      // descriptors that it finds closed

  Finished run(const std::vector<std::string>& words) {
    start(words);
    return wait();
  }
  void start(const std::vector<std::string>& words) {
    const std::string out = standard_output.empty() ? folder_ + "/stdout" : standard_output;
    const std::string err = standard_error.empty() ? folder_ + "/stderr" : standard_error;
    child_ = fork();
    if (child_ != 0) return;
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    if (largest_file != RLIM_INFINITY) {
      const rlimit limit{largest_file, largest_file};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    const int out_file = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int err_file = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out_file < 0 || err_file < 0 || dup2(out_file, 1) < 0 || dup2(err_file, 2) < 0 || chdir(folder_.c_str()) != 0)
      _exit(126);
    for (const int file : {out_file, err_file}) close(file);
    for (const int descriptor : closed) close(descriptor);
    std::vector<char*> arguments = {const_cast<char*>(SALA_EVAL_BINARY)};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(SALA_EVAL_BINARY, arguments.data());
    _exit(127);
  }
  void send(int signal) const { kill(child_, signal); }
  // True when the child has ended; does not wait.
  bool ended() {
    if (status_) return true;
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) != child_) return false;
    status_ = status;
    return true;
  }
  Finished wait() {
    int status = 0;
    Finished result;
    if (status_) {
      status = *status_;
    } else {
      rusage usage;
      wait4(child_, &status, 0, &usage);
      result.peak_bytes = usage.ru_maxrss * 1024;
    }
    status_.reset();
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (standard_output.empty()) result.out = read_bytes(folder_ + "/stdout");
    if (standard_error.empty()) result.err = read_bytes(folder_ + "/stderr");
    return result;
  }

 private:
  std::string folder_;
  pid_t child_ = -1;
  std::optional<int> status_;
};

// The program ends with the code, prints nothing but one sentence that holds all `parts`, and that last.
inline void expect_refused(Program& program, const Words& words, ErrorCode code, const std::vector<std::string>& parts) {
  const Finished result = program.run(words);
  EXPECT_EQ(result.code, static_cast<int>(code)) << result.err;
  EXPECT_EQ(result.out, "") << result.out;
  const std::string head = std::string("sala_eval: error [") + error_code_name(code) + "] ";
  const size_t at = result.err.find(head);
  ASSERT_NE(at, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find('\n', at), result.err.size() - 1) << "one sentence on one line, the last: " << result.err;
  for (const std::string& part : parts)
    EXPECT_NE(result.err.find(part), std::string::npos) << part << " not in: " << result.err;
}

}  // namespace sala::eval
