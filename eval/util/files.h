// Files that survive a kill: written whole beside their place and renamed, or appended and flushed to the disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/text/files.h"

namespace sala::eval {

using text::read_file;
bool file_exists(const std::string& path);
// Creates the folder and its parents.
void make_folders(const std::string& path);
// The folder and all in it; nothing when there is none.
void remove_folder(const std::string& path);
// After this returns, `path` holds all of `text`, whatever happens next; before, it holds what it held.
void write_atomically(const std::string& path, std::string_view text);
// The second half of that for a file made by someone else: flushes `temporary`, renames it to `path`, flushes the folder.
void replace_file(const std::string& temporary, const std::string& path);

// A file that only grows. Every append is on the disk when it returns; one that fails leaves the file as it was.
class AppendFile {
 public:
  AppendFile() = default;
  // Opens or creates. Throws Error{kIo}.
  explicit AppendFile(const std::string& path);
  ~AppendFile();
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;
  // False when another process holds the lock of this file.
  bool try_lock();
  void append(std::string_view bytes);
  // Drops everything from `bytes` on.
  void truncate(int64_t bytes);
  int64_t size() const { return size_; }
  // Throws Error{kFormat} when the file is shorter.
  std::string read(int64_t offset, int64_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace sala::eval
