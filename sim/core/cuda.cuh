// What every .cu file needs of the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <type_traits>

namespace sala::cuda {

// Throws the Error that `status` means, with what was being done: kMemory, kUnsupported (driver, device), kIo (the device
// failed), kInternal (a defect of ours). Nothing for success.
void check(cudaError_t status, const char* doing);

// Multiprocessors of the device.
int processors();

// A launch is recorded. What a thread has recorded runs when it waits, in order. Threads that wait at the same time run
// together: a kernel that several of them come to is one launch, with the arguments and the grid of each. A block of threads
// sees only those of its own call, so who ran with whom changes no byte.
//
// A kernel is a struct: its members are the arguments, operator()(place) const is the body, for blocks of at most kThreads
// threads, kBlocks of which should fit a multiprocessor.
struct Place {
  uint3 block;  // of threads, within the grid of its call
  dim3 grid;
};

struct Command {
  using Run = void (*)(const Command* const* commands, int count, cudaStream_t stream);
  Run run = nullptr;  // also says which kernel it is
  const char* name = "";
  const void* kernel = nullptr;
  dim3 grid;
  int threads = 0, shared_bytes = 0;

  int64_t blocks() const { return int64_t{grid.x} * grid.y * grid.z; }
};
// Copies the kernel.
void record(const Command& command, int64_t kernel_bytes);
// Runs what this thread has recorded and waits for it.
void wait();
// Pinned host memory that kernels reach, until this thread has waited.
void* staging(int64_t bytes);
// Copies from there to `to` once this thread has waited.
void copy_after_waiting(void* to, const void* staged, int64_t bytes);

#if CUDART_VERSION >= 12010
inline constexpr int kParameterBytes = 16000;  // of a launch
#else
inline constexpr int kParameterBytes = 4000;
#endif

// The kernels of several calls; blocks of threads are counted through.
template <class Kernel>
struct Together {
  static constexpr int kFit = kParameterBytes / (static_cast<int>(sizeof(Kernel)) + 16);
  static constexpr int kMost = kFit < 32 ? kFit : 32;  // parameters cost time whether or not they are used
  union Slot {
    Kernel kernel;
    __host__ __device__ Slot() {}
  };
  Slot slots[kMost];
  dim3 grids[kMost];
  uint32_t ends[kMost];  // behind the blocks of each
};

template <class Kernel, int kThreads, int kBlocks>
__global__ void __launch_bounds__(kThreads, kBlocks) alone_kernel(const __grid_constant__ Kernel kernel) {
  kernel(Place{blockIdx, gridDim});
}

template <class Kernel, int kThreads, int kBlocks>
__global__ void __launch_bounds__(kThreads, kBlocks) together_kernel(const __grid_constant__ Together<Kernel> all) {
  int call = 0;
  while (blockIdx.x >= all.ends[call]) ++call;
  const dim3 grid = all.grids[call];
  const uint32_t index = blockIdx.x - (call == 0 ? 0 : all.ends[call - 1]), row = index / grid.x;
  all.slots[call].kernel(Place{{index - row * grid.x, row % grid.y, row / grid.y}, grid});
}

// A block of threads gets more than the usual shared memory only when it is asked for: as much as any call wanted so far.
template <auto kKernel>
void allow_shared(int bytes) {
  static std::mutex mutex;
  static int allowed = 32 << 10;  // of 48 KiB, with what a kernel has beside it
  const std::lock_guard lock(mutex);
  if (bytes <= allowed) return;
  check(cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "launching");
  allowed = bytes;
}

template <class Kernel, int kThreads, int kBlocks>
void run_alone(const Command& command, cudaStream_t stream) {
  allow_shared<alone_kernel<Kernel, kThreads, kBlocks>>(command.shared_bytes);
  alone_kernel<Kernel, kThreads, kBlocks>
      <<<command.grid, command.threads, command.shared_bytes, stream>>>(*static_cast<const Kernel*>(command.kernel));
  check(cudaGetLastError(), command.name);
}

// Gives how many ran.
template <class Kernel, int kThreads, int kBlocks>
int run_together(const Command* const* commands, int count, cudaStream_t stream) {
  constexpr int64_t kMostBlocks = 0x7fffffff;
  if (count == 1 || commands[0]->blocks() + commands[1]->blocks() > kMostBlocks) {
    run_alone<Kernel, kThreads, kBlocks>(*commands[0], stream);
    return 1;
  }
  Together<Kernel> all;
  int taken = 0, shared_bytes = 0;
  for (int64_t end = 0; taken < count && taken < Together<Kernel>::kMost; ++taken) {
    const Command& command = *commands[taken];
    end += command.blocks();
    if (end > kMostBlocks) break;
    std::memcpy(static_cast<void*>(&all.slots[taken]), command.kernel, sizeof(Kernel));
    all.grids[taken] = command.grid;
    all.ends[taken] = static_cast<uint32_t>(end);
    shared_bytes = command.shared_bytes > shared_bytes ? command.shared_bytes : shared_bytes;
  }
  allow_shared<together_kernel<Kernel, kThreads, kBlocks>>(shared_bytes);
  together_kernel<Kernel, kThreads, kBlocks><<<all.ends[taken - 1], commands[0]->threads, shared_bytes, stream>>>(all);
  check(cudaGetLastError(), commands[0]->name);
  return taken;
}

template <class Kernel, int kThreads, int kBlocks>
void run_commands(const Command* const* commands, int count, cudaStream_t stream) {
  for (int done = 0; done < count;) done += run_together<Kernel, kThreads, kBlocks>(commands + done, count - done, stream);
}

template <int kThreads, int kBlocks = 1, class Kernel>
void launch(const char* name, const Kernel& kernel, dim3 grid, int threads = kThreads, int64_t shared_bytes = 0) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  record({&run_commands<Kernel, kThreads, kBlocks>, name, &kernel, grid, threads, static_cast<int>(shared_bytes)},
         sizeof(Kernel));
}

}  // namespace sala::cuda
