#include "eval/util/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "sala/core/error.h"

namespace sala::eval {
namespace {

Error io_error(const char* verb, const std::string& path) {
  return Error(ErrorCode::kIo, "cannot {} {}: {}", verb, path, std::strerror(errno));
}

void write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw io_error("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string folder_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// A rename is on the disk only after its folder is.
void sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw io_error("open", folder);
  ::fsync(descriptor);  // some file systems cannot; the rename itself is done
  ::close(descriptor);
}

}  // namespace

bool file_exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

void make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw Error(ErrorCode::kIo, "cannot make the folder {}: {}", path, error.message());
}

void remove_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) throw Error(ErrorCode::kIo, "cannot remove the folder {}: {}", path, error.message());
}

void write_atomically(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".tmp";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) throw io_error("write", temporary);
  try {
    write_all(descriptor, text, path);
  } catch (...) {
    ::close(descriptor);
    ::unlink(temporary.c_str());
    throw;
  }
  if (::close(descriptor) != 0) {
    const Error failure = io_error("write", path);
    ::unlink(temporary.c_str());
    throw failure;
  }
  replace_file(temporary, path);
}

void replace_file(const std::string& temporary, const std::string& path) {
  const auto fail = [&](const char* verb) {
    const Error failure = io_error(verb, path);
    ::unlink(temporary.c_str());
    return failure;
  };
  const int descriptor = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw fail("open");
  const int synced = ::fsync(descriptor);
  ::close(descriptor);
  if (synced != 0) throw fail("flush");
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw fail("replace");
  sync_folder(folder_of(path));
}

AppendFile::AppendFile(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw io_error("write", path);
  size_ = ::lseek(descriptor_, 0, SEEK_END);
  if (size_ < 0) {
    ::close(descriptor_);
    throw io_error("read", path);
  }
}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

AppendFile::AppendFile(AppendFile&& other) noexcept { *this = std::move(other); }

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

bool AppendFile::try_lock() { return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0; }

void AppendFile::append(std::string_view bytes) {
  try {
    write_all(descriptor_, bytes, path_);
    if (::fsync(descriptor_) != 0) throw io_error("flush", path_);
  } catch (const Error&) {
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, size_);  // a torn tail is dropped on resume as well
    throw;
  }
  size_ += static_cast<int64_t>(bytes.size());
}

void AppendFile::truncate(int64_t bytes) {
  if (::ftruncate(descriptor_, bytes) != 0 || ::fsync(descriptor_) != 0) throw io_error("shorten", path_);
  size_ = bytes;
}

std::string AppendFile::read(int64_t offset, int64_t bytes) const {
  if (offset < 0 || bytes < 0 || offset > size_ || bytes > size_ - offset)
    throw Error(ErrorCode::kFormat, "{}: {} bytes from byte {} on are asked for, it has {}", path_, bytes, offset, size_);
  std::string block(static_cast<std::size_t>(bytes), '\0');
  for (std::size_t done = 0; done < block.size();) {
    const ssize_t count =
        ::pread(descriptor_, block.data() + done, block.size() - done, offset + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw io_error("read", path_);
    done += static_cast<std::size_t>(count);
  }
  return block;
}

}  // namespace sala::eval
