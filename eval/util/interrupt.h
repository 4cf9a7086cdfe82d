// SIGINT and SIGTERM end a run between two steps, with everything saved.
#pragma once

#include <exception>

namespace sala::eval {

// Not an Error: nothing went wrong. main() turns it into exit code 130.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

// From now on the first SIGINT or SIGTERM sets a flag; a second one ends the process at once.
void catch_signals();
bool interrupt_requested();
// Throws Interrupted when one was requested.
void stop_if_interrupted();

}  // namespace sala::eval
