#include "eval/util/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace sala::eval {
namespace {

constexpr int kInterruptedExit = 130;
std::atomic<int> requested{0};                         // lanes read it
static_assert(std::atomic<int>::is_always_lock_free);  // as a signal handler needs

extern "C" void on_signal(int) {
  if (requested != 0) _exit(kInterruptedExit);
  requested = 1;
}

}  // namespace

void catch_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupt_requested() { return requested != 0; }

void stop_if_interrupted() {
  if (requested != 0) throw Interrupted();
}

}  // namespace sala::eval
