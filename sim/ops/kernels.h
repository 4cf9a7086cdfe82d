// Which build of the kernels runs. Every set but `ref` gives the same bytes (docs/numerics.md); `ref` is the
// double-precision definition of each op.
#pragma once

#include <string>
#include <vector>

namespace sala::ops {

enum class Isa { kRef, kPortable, kAvx2, kAvx512 };

struct Kernels {
  Isa isa = Isa::kPortable;
  const char* name = "";
  const char* description = "";
  bool (*supported)() = nullptr;  // by the processor that runs now
  bool is_ref() const { return isa == Isa::kRef; }
};

// Every set in this build, `ref` first, then slow to fast.
const std::vector<Kernels>& all_kernels();
// Those that this processor runs.
std::vector<Kernels> available_kernels();
// By name; "best" is the fastest that this processor runs. Throws Error{kUsage} listing the names, Error{kUnsupported} for
// one that this processor lacks.
const Kernels& find_kernels(const std::string& name);

}  // namespace sala::ops

// Tile functions live in <op>_cpu.cc, which is compiled once per instruction set into namespaces portable, avx2 and avx512.
// SALA_DECLARE_TILE(void f(int)) in <op>_tiles.h declares all of them; SALA_TILE(kernels, f) picks one.
#if defined(__x86_64__)
#define SALA_DECLARE_TILE(...) \
  namespace portable {         \
  __VA_ARGS__;                 \
  }                            \
  namespace avx2 {             \
  __VA_ARGS__;                 \
  }                            \
  namespace avx512 {           \
  __VA_ARGS__;                 \
  }
#define SALA_TILE(kernels, function)                                           \
  ((kernels).isa == ::sala::ops::Isa::kAvx512 ? &::sala::ops::avx512::function \
   : (kernels).isa == ::sala::ops::Isa::kAvx2 ? &::sala::ops::avx2::function   \
                                              : &::sala::ops::portable::function)
#else
#define SALA_DECLARE_TILE(...) \
  namespace portable {         \
  __VA_ARGS__;                 \
  }
#define SALA_TILE(kernels, function) (&::sala::ops::portable::function)
#endif
