#include "sim/text/utf8.h"

#include <gtest/gtest.h>

namespace sala::text {
namespace {

TEST(Utf8, EveryCodePointIsReadBack) {
  for (char32_t point = 0; point <= 0x10FFFF; point += point < 0x900 ? 1 : 0x3D) {
    std::string bytes;
    if (point < 0x80) {
      bytes = {static_cast<char>(point)};
    } else if (point < 0x800) {
      bytes = {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))};
    } else if (point < 0x10000) {
      bytes = {static_cast<char>(0xE0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3F)),
               static_cast<char>(0x80 | (point & 0x3F))};
    } else {
      bytes = {static_cast<char>(0xF0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 0x3F)),
               static_cast<char>(0x80 | (point >> 6 & 0x3F)), static_cast<char>(0x80 | (point & 0x3F))};
    }
    if (point >= 0xD800 && point <= 0xDFFF) {
      EXPECT_EQ(valid_char_length(bytes), 0u) << "a surrogate";
      continue;
    }
    ASSERT_EQ(valid_char_length(bytes + "x"), bytes.size()) << static_cast<uint32_t>(point);
    EXPECT_EQ(code_point(bytes + "x", bytes.size()), point);
    EXPECT_EQ(count_code_points(bytes + "x"), 2);
    EXPECT_EQ(valid_char_length(bytes.substr(0, bytes.size() - 1) + "x"), bytes.size() == 1 ? 1u : 0u) << "cut short";
  }
}

TEST(Utf8, AnInvalidByteIsOneReplacement) {
  const std::string text = "a\xC0\xAF\xF5\xE2\x82z\xFF";  // overlong, beyond Unicode, cut short, no byte of UTF-8
  EXPECT_EQ(code_points(text), U"a\xFFFD\xFFFD\xFFFD\xFFFD\xFFFDz\xFFFD");
  EXPECT_EQ(with_replacements("\xFFz"), std::string(kReplacement) + "z");
  EXPECT_EQ(with_replacements("z\u00e9"), "z\u00e9");
  EXPECT_EQ(valid_prefix(text), 1u);
  EXPECT_EQ(valid_prefix("z\u00e9"), 3u);
  EXPECT_EQ(valid_prefix(""), 0u);
}

}  // namespace
}  // namespace sala::text
