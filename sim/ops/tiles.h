// Tile functions live in <op>_cpu.cc, which is compiled once per instruction set into namespaces portable, avx2 and avx512.
// SALA_DECLARE_TILE(void f(int)) in <op>_tiles.h declares all of them; SALA_TILE(context, f) of context.h picks one.
#pragma once

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
#else
#define SALA_DECLARE_TILE(...) \
  namespace portable {         \
  __VA_ARGS__;                 \
  }
#endif
