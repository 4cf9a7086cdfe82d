// Where buffers live and ops run.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace sala {

// Memory of one processor. Allocation counts what is in use, for all kinds of device alike. Safe to call from any thread.
class Device {
 public:
  enum class Kind { kCpu, kCuda };  // whose kernels reach the memory
  enum class Copy { kFromHost, kToHost, kWithin };

  Device() = default;
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual const char* name() const = 0;
  virtual Kind kind() const { return Kind::kCpu; }
  // What it is, for results: "NVIDIA H200, driver 13.0, ...". Empty where the name says it all.
  virtual std::string description() const { return ""; }
  // Whether this program may read and write the address itself.
  virtual bool on_host(const void*) const { return true; }
  // What allocate() can still give; -1 where the system says it (eval/run/memory.h).
  virtual int64_t free_bytes() const { return -1; }
  // `bytes` of zeros, 64-byte aligned; null for 0 bytes. Throws Error{kMemory} naming the size.
  void* allocate(int64_t bytes);
  // What allocate(bytes) gave.
  void free(void* memory, int64_t bytes) noexcept;
  // Ordered with the kernels and copies of the same thread; may return before the copy is done. Host memory that was read
  // may be changed when it returns; host memory that is written may be read after sync(). Ranges must not overlap.
  virtual void copy(void* to, const void* from, int64_t bytes, Copy direction) = 0;
  // Zeros, in the same order.
  virtual void clear(void* memory, int64_t bytes);
  // Waits for the copies and kernels of this thread.
  virtual void sync() = 0;

  int64_t used_bytes() const { return used_; }
  // Largest used_bytes() since the start or since the last reset_peak().
  int64_t peak_bytes() const { return peak_; }
  void reset_peak() { peak_ = used_.load(); }

 protected:
  virtual void* do_allocate(int64_t bytes) = 0;
  virtual void do_free(void* memory) noexcept = 0;

 private:
  std::atomic<int64_t> used_{0}, peak_{0};
};

// The processor that this program runs on.
Device& cpu_device();
// The first CUDA device that the system shows. Throws Error{kUnsupported} saying what is missing: CUDA in this build, a
// driver, or a device that is new enough.
Device& cuda_device();
// Pinned host memory that kernels of the CUDA device reach as they reach their own, at the speed of the bus. Throws like
// cuda_device().
Device& cuda_host_device();
// "cpu" or "cuda". Throws Error{kUsage} for another name, and like cuda_device().
Device& find_device(const std::string& name);

}  // namespace sala
