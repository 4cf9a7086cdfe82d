// Parts that SALA Lab does not have, each registered by one call: what a user's own program does.
#pragma once

namespace sala::toys {

void register_running_mean();  // a mixer, letter M, with fields, a state, a cost and a site of its own
void register_alternating();   // a position encoding with a number of its own
void register_strength();      // a statistic that reads the mixer's site
void register_parrot();        // a task, group "toys"

inline void register_all() {
  register_running_mean();
  register_alternating();
  register_strength();
  register_parrot();
}

}  // namespace sala::toys
