#include "eval/cli/machine_rates.h"

#include "eval/spec/models.h"
#include "eval/study/this_machine.h"
#include "eval/util/streams.h"

namespace sala::eval {

std::optional<DeviceRates> machine_rates(const SessionOptions& options) {
  if (const auto known = known_machine(options)) return known;
  std::optional<ModelEntry> member;
  try {
    member = choose_model({});
  } catch (const Error&) {  // it is not here
    return std::nullopt;
  }
  return this_machine(member->config, options, [](const std::string& line) { streams::note("{}\n", line); });
}

}  // namespace sala::eval
