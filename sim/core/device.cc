#include "sala/core/device.h"

#include <cstdlib>
#include <cstring>

#include "sala/core/error.h"

namespace sala {
namespace {

class Cpu final : public Device {
 public:
  const char* name() const override { return "cpu"; }
  void copy(void* to, const void* from, int64_t bytes, Copy) override {
    if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  void sync() override {}

 protected:
  void* do_allocate(int64_t bytes) override {
    constexpr int64_t kAlign = 64;
    const auto padded = static_cast<size_t>((bytes + kAlign - 1) / kAlign * kAlign);
    void* memory = std::aligned_alloc(kAlign, padded);
    if (memory != nullptr) std::memset(memory, 0, padded);
    return memory;
  }
  void do_free(void* memory) noexcept override { std::free(memory); }
};

}  // namespace

void* Device::allocate(int64_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = do_allocate(bytes);
  if (memory == nullptr) throw Error(ErrorCode::kMemory, "Buffer: device '{}' refused {} bytes", name(), bytes);
  const int64_t used = used_ += bytes;
  for (int64_t peak = peak_; used > peak && !peak_.compare_exchange_weak(peak, used);) {
  }
  return memory;
}

void Device::clear(void* memory, int64_t bytes) {
  if (bytes > 0) std::memset(memory, 0, static_cast<size_t>(bytes));
}

void Device::free(void* memory, int64_t bytes) noexcept {
  if (memory == nullptr) return;
  do_free(memory);
  used_ -= bytes;
}

Device& cpu_device() {
  static Cpu cpu;
  return cpu;
}

Device& find_device(const std::string& name) {
  if (name == "cpu") return cpu_device();
  if (name == "cuda") return cuda_device();
  throw Error(ErrorCode::kUsage, "no device '{}'; there are cpu and cuda", name);
}

}  // namespace sala
