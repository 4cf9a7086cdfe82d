// Files that are whole or not there: made under another name beside their place, then renamed. Nothing is written through a
// symbolic link: what stands in a result's folder may be a stranger's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sala::text {

// The name beside `path` under which a file is made before it takes its place.
std::string fresh_name(const std::string& path);
// The same, with what a kill left there removed.
std::string fresh_beside(const std::string& path);
// Flushes `temporary`, renames it to `path`, flushes the folder. When that fails, nothing is left of `temporary`.
void replace_file(const std::string& temporary, const std::string& path);

class OutputFile {
 public:
  // Throws Error{kIo}, also when a link, a folder, a pipe or a device stands at `path`.
  explicit OutputFile(const std::string& path);
  ~OutputFile();  // nothing is left of a file that was not kept
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  // Behind what was written so.
  void write(std::string_view bytes);
  // May be called by several threads.
  void write_at(std::string_view bytes, int64_t offset) const;
  // After this returns, `path` holds all of it, whatever happens next; before, it holds what it held.
  void keep();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace sala::text
