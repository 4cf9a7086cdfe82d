// Which build of the kernels runs. Every set but `ref` gives the same bytes (docs/numerics.md); `ref` is the
// double-precision definition of each op. `cuda` is the set of CUDA devices, the others are those of the CPU.
#pragma once

#include <string>
#include <vector>

#include "sala/core/device.h"

namespace sala::ops {

enum class Isa { kRef, kPortable, kAvx2, kAvx512, kCuda };

// How a packed weight lies in memory; sets with the same layout share what is packed.
enum class WeightLayout { kPanels16 };

struct Kernels {
  Isa isa = Isa::kPortable;
  const char* name = "";
  const char* description = "";
  bool (*supported)() = nullptr;  // by the processor that runs now
  WeightLayout layout = WeightLayout::kPanels16;
  bool is_ref() const { return isa == Isa::kRef; }
};

// Every set of the CPU in this build, `ref` first, then slow to fast.
const std::vector<Kernels>& all_kernels();
// Those that this processor runs.
std::vector<Kernels> available_kernels();
// By name; "best" is the fastest that this processor runs. Throws Error{kUsage} listing the names, Error{kUnsupported} for
// one that this processor lacks.
const Kernels& find_kernels(const std::string& name);
// Of a device: on a CUDA device "best" and "cuda" are its own, and others are refused with Error{kUsage}.
const Kernels& find_kernels(const std::string& name, Device::Kind kind);

}  // namespace sala::ops
