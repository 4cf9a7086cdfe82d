// One clock for everything that is timed or shown.
#pragma once

#include <chrono>

namespace sala::eval {

// Since some moment; only differences mean something.
inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace sala::eval
