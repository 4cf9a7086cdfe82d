#include "eval/util/spill.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "sala/core/error.h"

namespace sala::eval {
namespace {

int open_nameless() {
  std::error_code problem;
  std::string path = (std::filesystem::temp_directory_path(problem) / "sala_eval.XXXXXX").string();
  if (problem) return -1;
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor >= 0) ::unlink(path.c_str());
  return descriptor;
}

}  // namespace

Spill::~Spill() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<int64_t> Spill::put(std::string_view bytes) {
  if (descriptor_ < 0) descriptor_ = open_nameless();
  if (descriptor_ < 0) return std::nullopt;
  const int64_t begin = end_;
  for (int64_t at = begin; !bytes.empty();) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return std::nullopt;
    at += written;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    if (bytes.empty()) end_ = at;
  }
  return begin;
}

void Spill::get(int64_t at, std::span<char> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw Error(ErrorCode::kIo, "cannot read back what waits in the folder for temporary files: {}",
                  got == 0 ? "it is shorter than it was" : std::strerror(errno));
    at += got;
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace sala::eval
