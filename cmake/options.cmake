# Build options and the flags that every target shares.
option(SALA_BUILD_TESTS "Build the test suite" ON)
option(SALA_BUILD_BENCHMARKS "Build the Google Benchmark programs" OFF)
option(SALA_FUZZ "Build a libFuzzer program for each parser (clang; with SALA_SANITIZE for more findings)" OFF)
option(SALA_WERROR "Warnings are errors" OFF)
option(SALA_STATIC "Only sala_generate, linked statically, so that it runs where no packages can be installed" OFF)
option(SALA_OPENMP "Run tiles on OpenMP's threads instead of our own (same results)" OFF)
option(SALA_CUDA "Kernels for NVIDIA GPUs; needs the CUDA toolkit" OFF)
set(SALA_SANITIZE "" CACHE STRING "Sanitizers, for instance address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_COMPILE_OPTIONS_PIE -fPIC)  # programs are compiled as libraries are: they share precompiled headers
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Checked builds keep SALA_DCHECK (no NDEBUG) and just enough debug information for line numbers in reports.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # kernels (sim/ops/CMakeLists.txt) and what makes samples have -O3

find_program(SALA_CCACHE ccache)
mark_as_advanced(SALA_CCACHE)
if(SALA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SALA_CCACHE})
endif()
option(SALA_FAST_BUILD "Precompile common headers and compile folders as one, for a short first build (cmake/fast_build.cmake)" OFF)

find_package(Threads REQUIRED)
if(SALA_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
elseif(SALA_BUILD_TESTS)  # a test runs sessions on both
  find_package(OpenMP COMPONENTS CXX)
endif()
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
# Debian's libfmt is shared only: a static program takes fmt from its headers.
set(SALA_FMT fmt::fmt)
if(SALA_STATIC)
  set(SALA_FMT fmt::fmt-header-only)
endif()

set(shadow -Wshadow)
if(SALA_FAST_BUILD)  # joins files: what these two find between them is no mistake
  set(shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
add_library(sala_flags INTERFACE)
# -ffp-contract=off: a fused multiply-add happens where the source says so and nowhere else, on every compiler.
target_compile_options(sala_flags INTERFACE -Wall -Wextra ${shadow} -Wno-unknown-pragmas -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Fire on correct std::string sums when optimising (GCC bug 105651).
  target_compile_options(sala_flags INTERFACE -Wno-restrict "$<$<CONFIG:Release>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
endif()
if(SALA_WERROR)
  target_compile_options(sala_flags INTERFACE -Werror)
endif()
if(SALA_FUZZ)
  target_compile_options(sala_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(SALA_SANITIZE)
  target_compile_options(sala_flags INTERFACE -fsanitize=${SALA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sala_flags INTERFACE -fsanitize=${SALA_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # instrumentation hides initialisations from GCC 12, in std::regex for instance
    target_compile_options(sala_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()

# CUDA: the .cu files are compiled for compute capability 8.0 and 9.0 and, as PTX, for later ones. --fmad=false: as -ffp-contract=off.
if(SALA_CUDA)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 90-virtual)
  endif()
  find_package(CUDAToolkit REQUIRED)
  enable_language(CUDA)
  if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  add_library(sala_cuda_flags INTERFACE)
  # FMT_USE_CONSTEXPR: fmt 9 takes nvcc for a compiler without it.
  target_compile_definitions(sala_cuda_flags INTERFACE "SALA_HOST_DEVICE=__host__ __device__" FMT_USE_CONSTEXPR=1)
  target_compile_options(sala_cuda_flags INTERFACE --expt-relaxed-constexpr --extended-lambda --fmad=false -Xcudafe
    --diag_suppress=554 -Xcompiler=-ffp-contract=off)
endif()

# sala_add_cuda(library source.cu ...): the sources become part of the library, with flags of their own. Nothing without SALA_CUDA.
function(sala_add_cuda library)
  if(NOT SALA_CUDA)
    return()
  endif()
  add_library(${library}_cuda OBJECT ${ARGN})
  target_include_directories(${library}_cuda PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/sim/include)
  target_compile_definitions(${library}_cuda PRIVATE SALA_CUDA)
  target_link_libraries(${library}_cuda PRIVATE sala_cuda_flags ${SALA_FMT} CUDA::cudart_static)
  set_target_properties(${library}_cuda PROPERTIES DISABLE_PRECOMPILE_HEADERS ON UNITY_BUILD OFF)
  target_sources(${library} PRIVATE $<TARGET_OBJECTS:${library}_cuda>)
  target_compile_definitions(${library} PRIVATE SALA_CUDA)
endfunction()
