// Whether tests can use a CUDA device; where not, why they are skipped.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sala/core/device.h"
#include "sala/core/error.h"

namespace sala {

// Empty where there is one.
inline const std::string& why_no_cuda() {
  static const std::string why = [] {
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
