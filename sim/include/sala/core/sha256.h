// SHA-256 (FIPS 180-4): names a user's file in results, so that two runs can be told to have read the same bytes.
#pragma once

#include <string>
#include <string_view>

namespace sala {

// 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace sala
