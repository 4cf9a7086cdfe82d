// What this machine does a second, for estimates.
#pragma once

#include <optional>

#include "eval/study/serving_cost.h"
#include "sala/model/session.h"

namespace sala::eval {

// this_machine() with the shape of the default member; what is measured is said on stderr. Nothing when nothing is known and
// that member is not here.
std::optional<DeviceRates> machine_rates(const SessionOptions& options);

}  // namespace sala::eval
