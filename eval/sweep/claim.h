// Who computes in a sweep's folder: a file a process, which it renews while it lives. It needs no locks of the file system.
// A file is renewed in place, which needs no space on the disk and never brings back one that was removed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sala::eval {

// A part of a sweep: the i-th of n packs of its cells, both from 1.
struct Shard {
  int64_t index = 1, count = 1;
  std::string text() const;  // "2/8"
};
// Throws Error{kUsage}.
Shard parse_shard(const std::string& text);

// What a process computes.
struct Part {
  std::string sweep, cells;  // its name, and cells_hash() of what it has
  Shard shard;
};

class Claim {
 public:
  // Claims a part in `folder`. Throws Error{kUsage} when another process that lives computes there, unless it has another
  // shard of the same division of the same cells. What a dead one left is removed. A process of another machine is dead when
  // it does not renew its file: that is waited for, `say` is told so, and `check_stop` may throw meanwhile.
  Claim(const std::string& folder, const Part& part, const std::function<void(const std::string&)>& say,
        const std::function<void()>& check_stop);
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  // Renews the file now and then; to be called several times a second. Throws Error{kIo} when the file is gone, since
  // another process may have taken its place, or when it could not be written for so long that others soon take it for dead.
  void renew();

 private:
  void begin(const std::string& text);
  void end();
  bool is_there() const;

  std::string path_;
  int descriptor_ = -1;
  int64_t beats_ = 0;
  std::size_t beat_at_ = 0;  // in the file
  double renewed_ = 0;
};

// "NAME, shard 2/8: process 123 on HOST", one for each claim in the folder, alive or not.
std::vector<std::string> describe_claims(const std::string& folder);

}  // namespace sala::eval
