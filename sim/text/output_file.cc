#include "sim/text/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "sala/core/error.h"

namespace sala::text {
namespace {

Error io_error(const char* verb, const std::string& path) {
  return Error(ErrorCode::kIo, "cannot {} {}: {}", verb, path, std::strerror(errno));
}

// A rename is on the disk only after its folder is.
void sync_folder_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string(), folder = parent.empty() ? "." : parent;
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw io_error("open", folder);
  const int problem = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (problem == 0 || problem == EINVAL || problem == ENOTSUP || problem == ENOSYS) return;  // some file systems cannot
  errno = problem;
  throw io_error("flush", folder);
}

}  // namespace

std::string fresh_name(const std::string& path) { return path + ".tmp"; }

std::string fresh_beside(const std::string& path) {
  const std::string temporary = fresh_name(path);
  ::unlink(temporary.c_str());  // what cannot be removed is found by whoever makes it anew
  return temporary;
}

void replace_file(const std::string& temporary, const std::string& path) {
  const auto fail = [&](const char* verb) {
    const Error failure = io_error(verb, path);
    ::unlink(temporary.c_str());
    return failure;
  };
  const int descriptor = ::open(temporary.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) throw fail("open");
  const int synced = ::fsync(descriptor);
  ::close(descriptor);
  if (synced != 0) throw fail("flush");
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw fail("replace");
  sync_folder_of(path);
}

OutputFile::OutputFile(const std::string& path) : path_(path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw Error(ErrorCode::kIo, "cannot write {}: it is {}, no regular file", path,
                S_ISLNK(status.st_mode)   ? "a link"
                : S_ISDIR(status.st_mode) ? "a directory"
                                          : "a pipe or a device");
  temporary_ = fresh_beside(path);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw io_error("write", temporary_);
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void OutputFile::write(std::string_view bytes) {
  write_at(bytes, size_);
  size_ += static_cast<int64_t>(bytes.size());
}

void OutputFile::write_at(std::string_view bytes, int64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw io_error("write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
}

void OutputFile::keep() {
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    const Error failure = io_error("write", path_);
    ::unlink(temporary_.c_str());
    throw failure;
  }
  replace_file(temporary_, path_);
}

}  // namespace sala::text
