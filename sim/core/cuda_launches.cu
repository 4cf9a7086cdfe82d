// Which launches run when: threads that wait form a queue, and the first of them that finds a stream free runs all that are
// in it.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/core/cuda.cuh"
#include "sim/core/device_parts.h"

namespace sala::cuda {
namespace {

// Memory that is handed out piece by piece and given back as a whole.
template <class Block>
class Pieces {
 public:
  void* take(int64_t bytes) {
    constexpr int64_t kAlign = 64;
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    while (at_ < blocks_.size() && used_ + bytes > blocks_[at_].bytes) ++at_, used_ = 0;
    if (at_ == blocks_.size()) blocks_.emplace_back(std::max(bytes, Block::kUsual));
    void* const piece = static_cast<char*>(blocks_[at_].memory) + used_;
    used_ += bytes;
    return piece;
  }
  void give_back() { at_ = 0, used_ = 0; }

 private:
  std::vector<Block> blocks_;
  std::size_t at_ = 0;
  int64_t used_ = 0;
};

struct HostBlock {
  static constexpr int64_t kUsual = int64_t{64} << 10;
  explicit HostBlock(int64_t size) : own(new char[static_cast<size_t>(size)]), memory(own.get()), bytes(size) {}
  std::unique_ptr<char[]> own;
  void* memory;
  int64_t bytes;
};

struct PinnedBlock {
  static constexpr int64_t kUsual = int64_t{256} << 10;
  explicit PinnedBlock(int64_t size) : bytes(size) {
    check(cudaHostAlloc(&memory, static_cast<size_t>(size), cudaHostAllocPortable | cudaHostAllocMapped), "allocating");
  }
  PinnedBlock(PinnedBlock&& other) noexcept : memory(std::exchange(other.memory, nullptr)), bytes(other.bytes) {}
  ~PinnedBlock() {
    if (memory != nullptr) cudaFreeHost(memory);
  }
  void* memory = nullptr;
  int64_t bytes;
};

// What a thread has recorded.
struct Recorder {
  struct Copy {
    void* to;
    const void* from;
    int64_t bytes;
  };
  std::vector<Command> commands;
  std::vector<Copy> copies;
  Pieces<HostBlock> kernels;
  Pieces<PinnedBlock> staged;
  // While it runs.
  std::condition_variable changed;
  std::size_t next = 0;
  bool done = true;
  std::exception_ptr failure;

  void forget() {
    commands.clear();
    copies.clear();
    kernels.give_back();
    staged.give_back();
    next = 0;
  }
};

// Of this thread. Memory may be freed after the thread's other objects have ended: then nothing is left that has to run.
thread_local Recorder* own = nullptr;
struct Ending {
  ~Ending() { delete std::exchange(own, nullptr); }
};
Recorder& mine() {
  thread_local const Ending ending;
  if (own == nullptr) own = std::make_unique<Recorder>().release();
  return *own;
}

// Of the kernels of a stream: from the end of the one before to the end of each.
class Stopwatch {
 public:
  static bool on() { return on_; }
  static void start(bool on) {
    const std::lock_guard lock(mutex_);
    on_ = on;
    parts_.clear();
  }
  static std::vector<DevicePart> parts() {
    const std::lock_guard lock(mutex_);
    std::vector<DevicePart> all;
    for (const auto& [name, part] : parts_) all.push_back(part);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    return all;
  }
  void mark(const char* name, cudaStream_t stream) {
    names_.push_back(name);
    if (events_.size() < names_.size()) check(cudaEventCreate(&events_.emplace_back()), "timing");
    check(cudaEventRecord(events_[names_.size() - 1], stream), "timing");
  }
  // After the stream has been waited for.
  void add_up() {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 1; i < names_.size(); ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]), "timing");
      DevicePart& part = parts_[names_[i]];
      part.name = names_[i];
      ++part.launches;
      part.seconds += static_cast<double>(milliseconds) / 1000;
    }
    names_.clear();
  }

 private:
  static inline std::atomic<bool> on_ = false;
  static inline std::mutex mutex_;
  static inline std::map<std::string, DevicePart> parts_;
  std::vector<const char*> names_;
  std::vector<cudaEvent_t> events_;
};

// Merges what the recorders have: the kernel that the one furthest behind comes to runs for all that come to it.
void launch_all(const std::vector<Recorder*>& recorders, cudaStream_t stream, Stopwatch* watch) {
  std::vector<const Command*> same;
  if (watch != nullptr) watch->mark("", stream);
  for (;;) {
    const Recorder* last = nullptr;
    for (const Recorder* recorder : recorders)
      if (recorder->next < recorder->commands.size() && (last == nullptr || recorder->next < last->next)) last = recorder;
    if (last == nullptr) return;
    const Command& command = last->commands[last->next];
    same.clear();
    for (Recorder* recorder : recorders) {
      if (recorder->next == recorder->commands.size()) continue;
      const Command& other = recorder->commands[recorder->next];
      if (other.run != command.run || other.threads != command.threads) continue;
      same.push_back(&other);
      ++recorder->next;
    }
    command.run(same.data(), static_cast<int>(same.size()), stream);
    if (watch != nullptr) watch->mark(command.name, stream);
  }
}

class Queue {
 public:
  // Returns when everything that the recorder holds has run.
  void run(Recorder& recorder) {
    std::unique_lock lock(mutex_);
    recorder.done = false;
    recorder.failure = nullptr;
    waiting_.push_back(&recorder);
    for (;;) {
      recorder.changed.wait(lock, [&] { return recorder.done || (in_queue(recorder) && free_stream() != nullptr); });
      if (recorder.done) return;
      lead(lock);
    }
  }

 private:
  static constexpr int kStreams = 2;  // while the kernels of one run, those of the other are launched
  struct Stream {
    cudaStream_t stream = nullptr;
    Stopwatch watch;
    bool taken = false;
  };

  bool in_queue(const Recorder& recorder) const {
    return std::find(waiting_.begin(), waiting_.end(), &recorder) != waiting_.end();
  }
  Stream* free_stream() {
    for (Stream& stream : streams_)
      if (!stream.taken) return &stream;
    return nullptr;
  }
  void lead(std::unique_lock<std::mutex>& lock) {
    Stream& on = *free_stream();
    on.taken = true;
    const std::vector<Recorder*> together = std::exchange(waiting_, {});
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (on.stream == nullptr) check(cudaStreamCreateWithFlags(&on.stream, cudaStreamNonBlocking), "making a stream");
      Stopwatch* const watch = Stopwatch::on() ? &on.watch : nullptr;
      launch_all(together, on.stream, watch);
      check(cudaStreamSynchronize(on.stream), "running kernels");
      if (watch != nullptr) watch->add_up();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    on.taken = false;
    for (Recorder* recorder : together) {
      recorder->done = true;
      recorder->failure = failure;
      recorder->changed.notify_one();
    }
    if (!waiting_.empty()) waiting_.front()->changed.notify_one();
  }

  std::mutex mutex_;
  std::vector<Recorder*> waiting_;
  Stream streams_[kStreams];
};

Queue& queue() {
  static Queue& only = *std::make_unique<Queue>().release();  // never ends: threads may outlive statics
  return only;
}

// As the runtime does: a launch returns when its kernel has run.
bool launches_block() {
  static const bool block = [] {
    const char* const text = std::getenv("CUDA_LAUNCH_BLOCKING");
    return text != nullptr && std::string_view(text) != "0";
  }();
  return block;
}

}  // namespace

void record(const Command& command, int64_t kernel_bytes) {
  constexpr std::size_t kMost = 1024;  // commands of a thread
  if (command.blocks() == 0) return;
  Recorder& recorder = mine();
  Command kept = command;
  void* const kernel = recorder.kernels.take(kernel_bytes);
  std::memcpy(kernel, command.kernel, static_cast<size_t>(kernel_bytes));
  kept.kernel = kernel;
  recorder.commands.push_back(kept);
  if (recorder.commands.size() >= kMost || launches_block()) wait();
}

void wait() {
  if (own == nullptr) return;
  Recorder& recorder = *own;
  if (!recorder.commands.empty()) queue().run(recorder);
  const std::exception_ptr failure = std::exchange(recorder.failure, nullptr);
  if (failure == nullptr)
    for (const Recorder::Copy& copy : recorder.copies) std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
  recorder.forget();
  if (failure != nullptr) std::rethrow_exception(failure);
}

void* staging(int64_t bytes) { return mine().staged.take(bytes); }

void copy_after_waiting(void* to, const void* staged, int64_t bytes) { mine().copies.push_back({to, staged, bytes}); }

}  // namespace sala::cuda

namespace sala {

void time_device_parts(bool on) { cuda::Stopwatch::start(on); }
std::vector<DevicePart> device_parts() { return cuda::Stopwatch::parts(); }

}  // namespace sala
