// Builds without CUDA.
#include "sala/core/device.h"
#include "sala/core/error.h"
#include "sim/core/device_parts.h"

namespace sala {

Device& cuda_device() {
  throw Error(
      ErrorCode::kUnsupported,
      "device 'cuda': this build has no CUDA; build with the toolkit, `cmake --preset cuda && cmake --build --preset "
      "cuda`, and run build/cuda/sala_eval");
}

Device& cuda_host_device() { return cuda_device(); }

void time_device_parts(bool) {}
std::vector<DevicePart> device_parts() { return {}; }

}  // namespace sala
