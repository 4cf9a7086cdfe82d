// Where the time of a device goes. Nothing on the CPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sala {

struct DevicePart {
  std::string name;  // of an op, and of a step of it
  int64_t launches = 0;
  double seconds = 0;
};

// From now on the kernels of all threads are timed, or no longer; what was measured is forgotten.
void time_device_parts(bool on);
// The largest first.
std::vector<DevicePart> device_parts();

}  // namespace sala
