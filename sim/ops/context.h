// What every op is told beside its operands: where it runs, with which kernels, in which class of arithmetic, with whose
// scratch memory and threads.
#pragma once

#include "sala/core/device.h"
#include "sala/core/numerics.h"
#include "sala/core/parallel.h"
#include "sim/core/workspace.h"
#include "sim/ops/kernels.h"

namespace sala::ops {

// One a session, used by one thread at a time; contexts of different sessions are independent.
struct Context {
  Device& device;
  const Kernels& kernels;
  Numerics numerics = Numerics::kFp32;
  Workspace& workspace;
  ThreadPool& pool;

  bool is_ref() const { return kernels.is_ref(); }
  bool on_cuda() const { return kernels.isa == Isa::kCuda; }
  bool bf16() const { return numerics == Numerics::kBf16; }
};

// Throws Error{kUnsupported} naming the function, the device and the instruction set.
[[noreturn]] void refuse_tile(const Context& context, const char* function);

// Who computes, as far as the scratch memory of an op depends on it.
struct Workers {
  int threads = 1;
  bool cuda = false;
};

// For ops that are one plain C++ loop over host memory, the same for every instruction set.
inline void require_host(const Context& context, const char* function) {
  if (&context.device != &cpu_device()) refuse_tile(context, function);
}

// The build of a tile function for the context's device and instruction set; null where there is none.
template <class Function>
Function* pick_tile(const Context& context, const char* name, Function* portable, Function* avx2 = nullptr,
                    Function* avx512 = nullptr) {
  Function* found = nullptr;
  if (&context.device == &cpu_device()) {
    if (context.kernels.isa == Isa::kPortable) found = portable;
    if (context.kernels.isa == Isa::kAvx2) found = avx2;
    if (context.kernels.isa == Isa::kAvx512) found = avx512;
  }
  if (found == nullptr) refuse_tile(context, name);
  return found;
}

}  // namespace sala::ops

// The build of a tile function (sim/ops/tiles.h) that serves the context.
#if defined(__x86_64__)
#define SALA_TILE(context, function)                                                                         \
  ::sala::ops::pick_tile(context, #function, &::sala::ops::portable::function, &::sala::ops::avx2::function, \
                         &::sala::ops::avx512::function)
#else
#define SALA_TILE(context, function) ::sala::ops::pick_tile(context, #function, &::sala::ops::portable::function)
#endif

// Returns what the op's CUDA version gives, SALA_ON_CUDA(context, linear(context, ...)), where the context has its kernels.
// A build without CUDA has no such context.
#if defined(SALA_CUDA)
#define SALA_ON_CUDA(context, ...) \
  if ((context).on_cuda()) return ::sala::ops::cuda::__VA_ARGS__
#else
#define SALA_ON_CUDA(context, ...) static_cast<void>(context)
#endif
