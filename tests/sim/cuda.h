// Whether tests can use a CUDA device; where not, why they are skipped.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "sala/core/device.h"
#include "sala/core/error.h"

namespace sala {

// Empty where there is one. Kernels end before their launch returns: a test reads what they wrote without waiting.
inline const std::string& why_no_cuda() {
  static const std::string why = [] {
    setenv("CUDA_LAUNCH_BLOCKING", "1", 0);
    try {
      cuda_device();
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  }();
  return why;
}
inline bool has_cuda() { return why_no_cuda().empty(); }

}  // namespace sala

#define SALA_SKIP_WITHOUT_CUDA() \
  if (!::sala::has_cuda()) GTEST_SKIP() << ::sala::why_no_cuda()
