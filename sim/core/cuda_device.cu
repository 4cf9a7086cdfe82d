#include <fmt/format.h>

#include <mutex>

#include "sala/core/device.h"
#include "sala/core/error.h"
#include "sim/core/cuda.cuh"

namespace sala {
namespace {

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
    return static_cast<int64_t>(free);
  }
  // Copies between the host's pageable memory and the device have read or written the host's side when they return.
  void copy(void* to, const void* from, int64_t bytes, Copy direction) override {
    if (bytes == 0) return;
    const cudaMemcpyKind kind = direction == Copy::kFromHost ? cudaMemcpyHostToDevice
                                : direction == Copy::kToHost ? cudaMemcpyDeviceToHost
                                                             : cudaMemcpyDefault;
    cuda::check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, cuda::stream()), "copying");
    if (direction == Copy::kToHost) sync();
  }
  void clear(void* memory, int64_t bytes) override {
    if (bytes > 0) cuda::check(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), cuda::stream()), "clearing memory");
  }
  void sync() override { cuda::check(cudaStreamSynchronize(cuda::stream()), "waiting for the device"); }

 protected:
  // Other threads, whose streams do not wait for this one's, may use the memory at once.
  void* do_allocate(int64_t bytes) override {
    return zeroed(cudaMalloc(&memory_of_thread, static_cast<size_t>(bytes)), bytes);
  }
  void do_free(void* memory) noexcept override { cudaFree(memory); }

  void* zeroed(cudaError_t status, int64_t bytes) {
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it is no failure of a kernel
      return nullptr;
    }
    cuda::check(status, "allocating");
    void* memory = memory_of_thread;
    cuda::check(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), cuda::stream()), "clearing memory");
    sync();
    return memory;
  }
  static thread_local void* memory_of_thread;
};
thread_local void* Cuda::memory_of_thread = nullptr;

class CudaHost final : public Cuda {
 public:
  bool on_host(const void*) const override { return true; }
  int64_t free_bytes() const override { return -1; }

 protected:
  void* do_allocate(int64_t bytes) override {
    return zeroed(cudaHostAlloc(&memory_of_thread, static_cast<size_t>(bytes), cudaHostAllocPortable | cudaHostAllocMapped),
                  bytes);
  }
  void do_free(void* memory) noexcept override { cudaFreeHost(memory); }
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
