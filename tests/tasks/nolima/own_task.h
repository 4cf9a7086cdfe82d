// Task `nolima` of the registry as what it is.
#pragma once

#include "sala/tasks/task.h"
#include "tasks/nolima/nolima.h"

namespace sala::tasks {

inline const NolimaTask& nolima_task() { return dynamic_cast<const NolimaTask&>(*find_task("nolima")); }

}  // namespace sala::tasks
