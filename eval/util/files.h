// Files that survive a kill: written whole (sim/text/output_file.h), or appended and flushed to the disk. No file is written
// through a symbolic link.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/text/files.h"
#include "sim/text/output_file.h"

namespace sala::eval {

using text::fresh_beside;
using text::fresh_name;
using text::read_file;
using text::replace_file;
bool file_exists(const std::string& path);
// Creates the folder and its parents.
void make_folders(const std::string& path);
// A folder, and no link to one.
bool is_own_folder(const std::string& path);
// Creates the folder, whose parent exists. Throws Error{kIo} also when a link to a folder stands there.
void make_own_folder(const std::string& path);
// After this returns, `path` holds all of `text`, whatever happens next; before, it holds what it held.
void write_atomically(const std::string& path, std::string_view text);
// The same for a file that several processes may replace at once: the last one's counts.
void write_shared(const std::string& path, std::string_view text);

// A file that only grows. Every append is on the disk when it returns; one that fails leaves the file as it was. Where that
// fails too, no other append is taken.
class AppendFile {
 public:
  AppendFile() = default;
  // Opens or creates. Throws Error{kIo}, also for a link and for what is no regular file.
  explicit AppendFile(const std::string& path);
  // Opens one that is there, for read() alone. Throws as the constructor.
  static AppendFile to_read(const std::string& path);
  ~AppendFile();
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;
  enum class Lock { kTaken, kHeldElsewhere, kImpossible };  // impossible: the file system has no locks
  Lock try_lock();
  void append(std::string_view bytes);
  // Drops everything from `bytes` on.
  void truncate(int64_t bytes);
  int64_t size() const { return size_; }
  // Throws Error{kFormat} when the file is shorter.
  std::string read(int64_t offset, int64_t bytes) const;

 private:
  void open(int flags, const char* verb);

  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  bool torn_ = false;  // a part of an append stands behind size_
};

// Reads a file that nobody vouches for line by line.
class LineReader {
 public:
  static constexpr int64_t kMostLineBytes = int64_t{256} << 20;
  // Throws Error{kIo}, also for what is no regular file.
  explicit LineReader(const std::string& path, int64_t most_line_bytes = kMostLineBytes);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  // Without its newline; false at the end. Throws Error{kIo}, Error{kFormat} for a line that is too long.
  bool next(std::string& line);
  int64_t number() const { return number_; }  // of the line that was read last, from 1

 private:
  std::string path_, block_;
  int descriptor_ = -1;
  std::size_t at_ = 0;  // in block_
  int64_t most_line_bytes_, number_ = 0;
};

}  // namespace sala::eval
