// What this process computes on, as a device (serving_cost.h): measured at first use, then kept in a file of the user's
// cache folder, one for each processor or GPU, number of threads, kernel set and numerics.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "eval/study/serving_cost.h"
#include "sala/model/session.h"

namespace sala::eval {

// Where the file is: SALA_CACHE, else XDG_CACHE_HOME/sala_lab, else HOME/.cache/sala_lab; empty when none of them is set.
// Threads are those of the options, 0 being num_threads().
std::string machine_file(const SessionOptions& options);
// Nothing when it was not measured yet, or the file is no device's.
std::optional<DeviceRates> known_machine(const SessionOptions& options);
// Measures where nothing is known, with random weights of the shape of `model`, a small one with selecting layers, and of
// the same with full attention and with linear layers alone; `say` is told so. Keeps it where a file can be written.
DeviceRates this_machine(const ModelConfig& model, const SessionOptions& options,
                         const std::function<void(const std::string&)>& say);

}  // namespace sala::eval
