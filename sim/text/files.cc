#include "sim/text/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sala/core/error.h"

namespace sala::text {
namespace {

Error cannot_read(const std::string& path) {
  return Error(ErrorCode::kIo, "cannot read {}: {}", path, std::strerror(errno));
}

struct Descriptor {
  ~Descriptor() { ::close(number); }
  int number;
};

}  // namespace

std::string_view packing(std::string_view start) {
  constexpr std::pair<std::string_view, std::string_view> kMarks[] = {{"\x1F\x8B", "gzip"},
                                                                      {"PK\x03\x04", "zip"},
                                                                      {"\x28\xB5\x2F\xFD", "zstd"},
                                                                      {"\xFD"
                                                                       "7zXZ",
                                                                       "xz"},
                                                                      {"BZh", "bzip2"},
                                                                      {"PAR1", "Parquet"}};
  for (const auto& [mark, name] : kMarks)
    if (start.starts_with(mark)) return name;
  return "";
}

std::string read_file(const std::string& path, int64_t most_bytes) {
  // Not blocking: opening a pipe that nobody writes to would wait for ever.
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) throw cannot_read(path);
  const Descriptor file{opened};
  struct stat status;
  if (::fstat(file.number, &status) != 0) throw cannot_read(path);
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::kIo, "cannot read {}: it is {}, no regular file", path,
                S_ISDIR(status.st_mode) ? "a directory" : "a pipe or a device");
  const auto too_long = [&](int64_t bytes) {
    return Error(ErrorCode::kFormat, "{} is {} bytes long; at most {} are expected", path, bytes, most_bytes);
  };
  if (status.st_size > most_bytes) throw too_long(status.st_size);
  // One byte more than there should be tells a file that grows, or that says nothing of its size (/proc).
  std::string bytes(static_cast<size_t>(status.st_size) + 1, '\0');
  size_t filled = 0;
  while (true) {
    const ssize_t count = ::read(file.number, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw cannot_read(path);
    if (count == 0) break;
    filled += static_cast<size_t>(count);
    if (static_cast<int64_t>(filled) > most_bytes) throw too_long(static_cast<int64_t>(filled));
    if (filled == bytes.size()) bytes.resize(std::max<size_t>(4096, 2 * filled));
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace sala::text
