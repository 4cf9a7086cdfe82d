#include <fmt/format.h>

#include <cstring>
#include <memory>

#include "sala/core/device.h"
#include "sala/core/error.h"
#include "sim/core/cuda.cuh"

namespace sala {
namespace {

using cuda::Place;

constexpr int kOldest = 80;  // compute capability, times ten

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::kUnsupported, "device 'cuda': {}", why); }

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

// Throws when there is no device that this build can use.
cudaDeviceProp find_properties() {
  int driver = 0, runtime = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    refuse("there is no NVIDIA driver; install one, or leave --device out");
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver)
    refuse(fmt::format(
        "the driver supports CUDA {}, this build needs {}; install a newer driver or build with an older toolkit",
        version_text(driver), version_text(runtime)));
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
    refuse("the driver shows no GPU; look at nvidia-smi and at CUDA_VISIBLE_DEVICES");
  if (status != cudaSuccess) refuse(fmt::format("the driver does not answer: {}", cudaGetErrorString(status)));
  cudaDeviceProp properties;
  cuda::check(cudaGetDeviceProperties(&properties, 0), "reading the device's properties");
  if (properties.major * 10 + properties.minor < kOldest)
    refuse(fmt::format("{} has compute capability {}.{}, 8.0 is the least", properties.name, properties.major,
                       properties.minor));
  return properties;
}

const cudaDeviceProp& properties() {
  static const cudaDeviceProp found = find_properties();
  return found;
}

constexpr int kThreads = 256;
constexpr int64_t kBytesOfBlock = 16 * kThreads;

// Sixteen bytes a thread; the ends of the memory may lie anywhere.
struct CopyKernel {
  char* to;
  const char* from;
  int64_t bytes;

  __device__ void operator()(const Place& place) const {
    const int64_t begin = int64_t{place.block.x} * kBytesOfBlock;
    const auto count = static_cast<int>(bytes - begin < kBytesOfBlock ? bytes - begin : kBytesOfBlock);
    if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | static_cast<uintptr_t>(count)) % 16 == 0) {
      if (const int at = static_cast<int>(threadIdx.x) * 16; at < count)
        *reinterpret_cast<int4*>(to + begin + at) = *reinterpret_cast<const int4*>(from + begin + at);
      return;
    }
    for (int at = static_cast<int>(threadIdx.x); at < count; at += kThreads) to[begin + at] = from[begin + at];
  }
};

struct ClearKernel {
  char* memory;
  int64_t bytes;

  __device__ void operator()(const Place& place) const {
    const int64_t begin = int64_t{place.block.x} * kBytesOfBlock, end = begin + kBytesOfBlock;
    for (int64_t at = begin + threadIdx.x; at < (end < bytes ? end : bytes); at += kThreads) memory[at] = 0;
  }
};

template <class Kernel>
void launch_bytes(const char* name, const Kernel& kernel, int64_t bytes) {
  cuda::launch<kThreads>(name, kernel, static_cast<unsigned>((bytes + kBytesOfBlock - 1) / kBytesOfBlock));
}

// Where memory comes from. It keeps what is freed: sessions come and go.
cudaMemPool_t pool() {
  static const cudaMemPool_t found = [] {
    cudaMemPool_t pool = nullptr;
    cuda::check(cudaDeviceGetDefaultMemPool(&pool, 0), "asking for memory");
    uint64_t all = UINT64_MAX;
    cuda::check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "asking for memory");
    return pool;
  }();
  return found;
}

class Cuda : public Device {
 public:
  const char* name() const override { return "cuda"; }
  Kind kind() const override { return Kind::kCuda; }
  std::string description() const override {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    return fmt::format("{}, compute capability {}.{}, driver for CUDA {}, toolkit {}", properties().name, properties().major,
                       properties().minor, version_text(driver), version_text(runtime));
  }
  bool on_host(const void* address) const override {
    cudaPointerAttributes attributes;
    cuda::check(cudaPointerGetAttributes(&attributes, address), "asking whose memory it is");
    return attributes.type != cudaMemoryTypeDevice;
  }
  int64_t free_bytes() const override {
    size_t free = 0, total = 0;
    cuda::check(cudaMemGetInfo(&free, &total), "asking for free memory");
    uint64_t kept = 0, used = 0;  // of the pool
    cuda::check(cudaMemPoolGetAttribute(pool(), cudaMemPoolAttrReservedMemCurrent, &kept), "asking for free memory");
    cuda::check(cudaMemPoolGetAttribute(pool(), cudaMemPoolAttrUsedMemCurrent, &used), "asking for free memory");
    return static_cast<int64_t>(free + kept - used);
  }
  void copy(void* to, const void* from, int64_t bytes, Copy direction) override {
    constexpr int64_t kMostStaged = int64_t{1} << 20;
    if (bytes == 0) return;
    if (direction != Copy::kWithin && bytes > kMostStaged) {
      cuda::wait();
      const auto kind = direction == Copy::kFromHost ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost;
      return cuda::check(cudaMemcpy(to, from, static_cast<size_t>(bytes), kind), "copying");
    }
    if (direction == Copy::kFromHost) from = std::memcpy(cuda::staging(bytes), from, static_cast<size_t>(bytes));
    if (direction == Copy::kToHost) {
      void* const staged = cuda::staging(bytes);
      cuda::copy_after_waiting(to, staged, bytes);
      to = staged;
    }
    launch_bytes("copying", CopyKernel{static_cast<char*>(to), static_cast<const char*>(from), bytes}, bytes);
  }
  void clear(void* memory, int64_t bytes) override {
    if (bytes > 0) launch_bytes("clearing memory", ClearKernel{static_cast<char*>(memory), bytes}, bytes);
  }
  void sync() override { cuda::wait(); }

 protected:
  void* do_allocate(int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t status = cudaMallocAsync(&memory, static_cast<size_t>(bytes), pool(), cudaStreamPerThread);
    return zeroed(status, memory, bytes);
  }
  void do_free(void* memory) noexcept override {
    finish();
    cudaFreeAsync(memory, cudaStreamPerThread);
  }

  // What this thread has recorded may use memory that is about to be freed.
  static void finish() noexcept {
    try {
      cuda::wait();
    } catch (...) {  // whoever waits for results hears of it
    }
  }
  // Any thread may use the memory at once.
  void* zeroed(cudaError_t status, void* memory, int64_t bytes) {
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it is no failure of a kernel
      return nullptr;
    }
    cuda::check(status, "allocating");
    status = cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), cudaStreamPerThread);
    if (status == cudaSuccess) status = cudaStreamSynchronize(cudaStreamPerThread);
    if (status != cudaSuccess) do_free(memory);
    cuda::check(status, "clearing memory");
    return memory;
  }
};

class CudaHost final : public Cuda {
 public:
  bool on_host(const void*) const override { return true; }
  int64_t free_bytes() const override { return -1; }

 protected:
  void* do_allocate(int64_t bytes) override {
    void* memory = nullptr;
    const auto size = static_cast<size_t>(bytes);
    const cudaError_t status = cudaHostAlloc(&memory, size, cudaHostAllocPortable | cudaHostAllocMapped);
    return zeroed(status, memory, bytes);
  }
  void do_free(void* memory) noexcept override {
    finish();
    cudaFreeHost(memory);
  }
};

}  // namespace

namespace cuda {

void check(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // what can be forgotten is forgotten
  ErrorCode code = ErrorCode::kIo;
  const char* advice = "; the driver's log says more";
  switch (status) {
    case cudaErrorMemoryAllocation:
      code = ErrorCode::kMemory;
      advice = "; another program may use the device's memory, nvidia-smi shows it";
      break;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      code = ErrorCode::kUnsupported;
      advice = "; this build or the driver does not fit the device";
      break;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
      code = ErrorCode::kInternal;
      advice = "";
      break;
    default:
      break;
  }
  throw Error(code, "device 'cuda': {} ({}) in {}{}", cudaGetErrorString(status), cudaGetErrorName(status), doing, advice);
}

int processors() { return properties().multiProcessorCount; }

}  // namespace cuda

Device& cuda_device() {
  properties();
  static Cuda& device = *std::make_unique<Cuda>().release();  // never ends: memory may outlive statics
  return device;
}

Device& cuda_host_device() {
  properties();
  static CudaHost& device = *std::make_unique<CudaHost>().release();
  return device;
}

}  // namespace sala
