// Where buffers live and ops run.
#pragma once

#include <atomic>
#include <cstdint>

namespace sala {

// Memory of one processor. Allocation counts what is in use, for all kinds of device alike. Safe to call from any thread.
class Device {
 public:
  enum class Copy { kFromHost, kToHost, kWithin };

  Device() = default;
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual const char* name() const = 0;
  // `bytes` of zeros, 64-byte aligned; null for 0 bytes. Throws Error{kMemory} naming the size.
  void* allocate(int64_t bytes);
  // What allocate(bytes) gave.
  void free(void* memory, int64_t bytes) noexcept;
  // May return before the copy is done; ranges must not overlap.
  virtual void copy(void* to, const void* from, int64_t bytes, Copy direction) = 0;
  // Waits for all copies and kernels.
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

// The processor that this program runs on: the only device so far.
Device& cpu_device();

}  // namespace sala
