#include "sim/ops/kernels.h"

#include "sala/core/error.h"
#include "sim/ops/context.h"

namespace sala::ops {
namespace {

bool always() { return true; }
#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

const std::vector<Kernels>& all_kernels() {
  static const std::vector<Kernels> kernels = {
    {Isa::kRef, "ref", "double precision, serial: the definition", always},
    {Isa::kPortable, "portable", "plain C++ for any processor", always},
#if defined(__x86_64__)
    {Isa::kAvx2, "avx2", "AVX2 and FMA, 8 lanes", has_avx2},
    {Isa::kAvx512, "avx512", "AVX-512 F/DQ/BW/VL, 16 lanes", has_avx512},
#endif
  };
  return kernels;
}

std::vector<Kernels> available_kernels() {
  std::vector<Kernels> found;
  for (const Kernels& kernels : all_kernels())
    if (kernels.supported()) found.push_back(kernels);
  return found;
}

const Kernels& find_kernels(const std::string& name) {
  const Kernels* best = nullptr;
  std::string known = "best";
  for (const Kernels& kernels : all_kernels()) {
    known += std::string(", ") + kernels.name;
    const bool runs = kernels.supported();
    if (runs) best = &kernels;
    if (name != kernels.name) continue;
    if (!runs)
      throw Error(ErrorCode::kUnsupported, "this processor does not run the kernels '{}' ({})", name, kernels.description);
    return kernels;
  }
  if (name != "best") throw Error(ErrorCode::kUsage, "no kernels '{}'; there are {}", name, known);
  return *best;
}

const Kernels& find_kernels(const std::string& name, Device::Kind kind) {
  if (kind == Device::Kind::kCpu) return find_kernels(name);
  static const Kernels cuda{Isa::kCuda, "cuda", "CUDA devices of compute capability 8.0 or later", always};
  if (name != "best" && name != cuda.name)
    throw Error(ErrorCode::kUsage, "find_kernels: '{}' are kernels of the CPU; a CUDA device has 'cuda' and no others",
                name);
  return cuda;
}

void refuse_tile(const Context& context, const char* function) {
  throw Error(ErrorCode::kUnsupported, "{}: this build has no kernel for device '{}' and instruction set '{}'", function,
              context.device.name(), context.kernels.name);
}

}  // namespace sala::ops
