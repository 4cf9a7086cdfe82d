// A disk that fails: preloaded into a program, makes one system call on a file of one folder fail.
//   IO_FAULT_FOLDER  files whose path begins with this are meant
//   IO_FAULT_AT      which of these calls fails, from 1; 0 = none
//   IO_FAULT_ALL     when set, every later one fails as well, as on a full disk
//   IO_FAULT_ERRNO   the error that they fail with; 0 = only writes, which write a part and say how much
//   IO_FAULT_COUNT   a file to which the number of calls is written at the end
// Apart from that, IO_FAULT_FLOCK is the error that every flock() fails with, as on a file system without locks, and
// IO_FAULT_FORK says which fork() of the program fails, from 1, as on a machine that has no more processes to give.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> calls{0};

long number_of(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text == nullptr ? otherwise : atol(text);
}

bool meant(const char* path) {
  const char* folder = getenv("IO_FAULT_FOLDER");
  return folder != nullptr && strncmp(path, folder, strlen(folder)) == 0;
}

bool meant(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t bytes = readlink(link, path, sizeof path - 1);
  if (bytes < 0) return false;
  path[bytes] = 0;
  return meant(path);
}

// Counts a call that is meant; whether it is one that fails.
bool strikes() {
  const long at = number_of("IO_FAULT_AT", 0), call = ++calls;
  return at > 0 && (call == at || (call > at && getenv("IO_FAULT_ALL") != nullptr));
}

bool partial() { return number_of("IO_FAULT_ERRNO", EIO) == 0; }

int fail() {
  errno = static_cast<int>(number_of("IO_FAULT_ERRNO", EIO));
  return -1;
}

template <class Call>
Call* real(const char* name) {
  return reinterpret_cast<Call*>(dlsym(RTLD_NEXT, name));
}

std::atomic<long> forks{0};

struct Report {
  ~Report() {
    const char* path = getenv("IO_FAULT_COUNT");
    FILE* file = path == nullptr ? nullptr : fopen(path, "w");
    if (file == nullptr) return;
    fprintf(file, "%ld\n", calls.load());
    fclose(file);
  }
} report;

// How much of `count` bytes is written; -1: the write fails.
ssize_t allowed(int descriptor, size_t count) {
  if (!meant(descriptor) || !strikes()) return static_cast<ssize_t>(count);
  return partial() ? static_cast<ssize_t>((count + 1) / 2) : fail();
}

bool struck(int descriptor) { return !partial() && meant(descriptor) && strikes(); }

int opened(int (*open_file)(const char*, int, ...), const char* path, int flags, va_list more) {
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  const bool writes = (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0;
  return writes && !partial() && meant(path) && strikes() ? fail() : open_file(path, flags, mode);
}

}  // namespace

extern "C" {

int flock(int descriptor, int operation) noexcept {
  const long number = number_of("IO_FAULT_FLOCK", 0);
  if (number == 0) return real<int(int, int)>("flock")(descriptor, operation);
  errno = static_cast<int>(number);
  return -1;
}

pid_t fork() noexcept {
  if (++forks != number_of("IO_FAULT_FORK", 0)) return real<pid_t()>("fork")();
  errno = EAGAIN;
  return -1;
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  const ssize_t most = allowed(descriptor, count);
  return most < 0 ? -1 : real<decltype(write)>("write")(descriptor, bytes, static_cast<size_t>(most));
}
ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  const ssize_t most = allowed(descriptor, count);
  return most < 0 ? -1 : real<decltype(pwrite)>("pwrite")(descriptor, bytes, static_cast<size_t>(most), offset);
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off64_t offset) {
  const ssize_t most = allowed(descriptor, count);
  return most < 0 ? -1 : real<decltype(pwrite64)>("pwrite64")(descriptor, bytes, static_cast<size_t>(most), offset);
}
ssize_t pread(int descriptor, void* bytes, size_t count, off_t offset) {
  return struck(descriptor) ? fail() : real<decltype(pread)>("pread")(descriptor, bytes, count, offset);
}
ssize_t pread64(int descriptor, void* bytes, size_t count, off64_t offset) {
  return struck(descriptor) ? fail() : real<decltype(pread64)>("pread64")(descriptor, bytes, count, offset);
}
int fsync(int descriptor) { return struck(descriptor) ? fail() : real<decltype(fsync)>("fsync")(descriptor); }
int ftruncate(int descriptor, off_t bytes) noexcept {
  return struck(descriptor) ? fail() : real<int(int, off_t)>("ftruncate")(descriptor, bytes);
}
int ftruncate64(int descriptor, off64_t bytes) noexcept {
  return struck(descriptor) ? fail() : real<int(int, off64_t)>("ftruncate64")(descriptor, bytes);
}
int close(int descriptor) {  // closes all the same, as the system does
  const bool lost = struck(descriptor);
  const int result = real<decltype(close)>("close")(descriptor);
  return lost ? fail() : result;
}
int rename(const char* from, const char* to) noexcept {
  return !partial() && meant(to) && strikes() ? fail() : real<int(const char*, const char*)>("rename")(from, to);
}
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int descriptor = opened(real<int(const char*, int, ...)>("open"), path, flags, more);
  va_end(more);
  return descriptor;
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int descriptor = opened(real<int(const char*, int, ...)>("open64"), path, flags, more);
  va_end(more);
  return descriptor;
}

}  // extern "C"
