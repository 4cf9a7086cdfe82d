// Bytes that wait on the disk: a file without a name in the folder for temporary files (TMPDIR), gone with the process.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sala::eval {

class Spill {
 public:
  Spill() = default;
  ~Spill();
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;
  // Where the bytes are; nothing where the disk does not take them.
  std::optional<int64_t> put(std::string_view bytes);
  // Throws Error{kIo}.
  void get(int64_t at, std::span<char> out) const;

 private:
  int descriptor_ = -1;
  int64_t end_ = 0;
};

}  // namespace sala::eval
