#include "eval/util/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "eval/util/process.h"
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

bool is_own_folder(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void make_own_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return;
  const Error failure = io_error("make the folder", path);
  if (!is_own_folder(path)) throw failure;
}

void write_atomically(const std::string& path, std::string_view text) {
  text::OutputFile file(path);
  file.write(text);
  file.keep();
}

void write_shared(const std::string& path, std::string_view text) {
  const std::string own = path + "." + process_name();
  write_atomically(own, text);
  replace_file(own, path);
}

AppendFile::AppendFile(const std::string& path) : path_(path) { open(O_RDWR | O_CREAT | O_APPEND, "write"); }

AppendFile AppendFile::to_read(const std::string& path) {
  AppendFile file;
  file.path_ = path;
  file.open(O_RDONLY, "read");
  return file;
}

void AppendFile::open(int flags, const char* verb) {
  // Not blocking: opening a pipe that nobody reads would wait for ever.
  descriptor_ = ::open(path_.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  if (descriptor_ < 0 && errno == ELOOP)
    throw Error(ErrorCode::kIo, "cannot {} {}: it is a link, which may lead out of the folder", verb, path_);
  if (descriptor_ < 0) throw io_error(verb, path_);
  struct stat info;
  if (::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode)) {
    size_ = info.st_size;
    return;
  }
  ::close(std::exchange(descriptor_, -1));
  throw Error(ErrorCode::kIo, "cannot {} {}: it is no regular file", verb, path_);
}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

AppendFile::AppendFile(AppendFile&& other) noexcept { *this = std::move(other); }

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(torn_, other.torn_);
  return *this;
}

AppendFile::Lock AppendFile::try_lock() {
  int result = 0;
  do result = ::flock(descriptor_, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) return Lock::kHeldElsewhere;
  struct stat info;  // whoever had the lock before may have written since the file was opened
  if (::fstat(descriptor_, &info) != 0) throw io_error("look at", path_);
  size_ = info.st_size;
  return result == 0 ? Lock::kTaken : Lock::kImpossible;
}

void AppendFile::append(std::string_view bytes) {
  if (torn_)  // a whole line behind a beginning of one would be a damaged line
    throw Error(ErrorCode::kIo, "cannot write {}: an earlier write left a part that could not be taken back", path_);
  try {
    write_all(descriptor_, bytes, path_);
    if (::fsync(descriptor_) != 0) throw io_error("flush", path_);
  } catch (const Error& failure) {
    if (::ftruncate(descriptor_, size_) == 0) throw;
    torn_ = true;
    throw Error(ErrorCode::kIo, "{}; the part that was written could not be taken back: {}", failure.what(),
                std::strerror(errno));
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

LineReader::LineReader(const std::string& path, int64_t most_line_bytes) : path_(path), most_line_bytes_(most_line_bytes) {
  // Not blocking: opening a pipe that nobody writes to would wait for ever.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw io_error("read", path);
  struct stat info;
  if (::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode)) return;
  ::close(descriptor_);
  throw Error(ErrorCode::kIo, "cannot read {}: it is no regular file", path);
}

LineReader::~LineReader() { ::close(descriptor_); }

bool LineReader::next(std::string& line) {
  constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
  line.clear();
  for (bool begun = false;; begun = true) {
    if (at_ == block_.size()) {
      block_.resize(kBlockBytes);
      ssize_t count = 0;
      do count = ::read(descriptor_, block_.data(), block_.size());
      while (count < 0 && errno == EINTR);
      if (count < 0) throw io_error("read", path_);
      block_.resize(static_cast<std::size_t>(count));
      at_ = 0;
      if (count == 0) return begun;  // a last line need not have an end
    }
    if (!begun) ++number_;
    const std::size_t end = block_.find('\n', at_), stop = std::min(end, block_.size());
    line.append(block_, at_, stop - at_);
    at_ = end == std::string::npos ? stop : end + 1;
    if (static_cast<int64_t>(line.size()) > most_line_bytes_)
      throw Error(ErrorCode::kFormat, "{}:{}: the line is longer than {} bytes", path_, number_, most_line_bytes_);
    if (end != std::string::npos) return true;
  }
}

}  // namespace sala::eval
