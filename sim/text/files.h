// Whole files that nobody vouches for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sala::text {

inline constexpr int64_t kMostFileBytes = int64_t{1} << 32;

// What packed the file that begins with these bytes: "gzip", "zip", ...; "Parquet" for such a table; empty for a text.
std::string_view packing(std::string_view start);

// All bytes of a regular file. Throws Error{kIo} with the path and the system's reason, also for a folder, a pipe and a
// device; Error{kFormat} when the file is longer than `most_bytes`, before anything is allocated.
std::string read_file(const std::string& path, int64_t most_bytes = kMostFileBytes);

}  // namespace sala::text
