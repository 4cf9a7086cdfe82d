#include "sala/tokenizer/token_offsets.h"

#include <gtest/gtest.h>

#include "sala/core/rng.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala {
namespace {

TEST(TokenOffsets, AgreesWithAPlainList) {
  for (const int64_t tokens : {1, 63, 64, 65, 257, 5000}) {
    Rng rng(7, "offsets", static_cast<uint64_t>(tokens));
    TokenOffsets offsets;
    std::vector<int64_t> plain;
    for (int64_t byte = static_cast<int64_t>(rng.below(300)); static_cast<int64_t>(plain.size()) < tokens;) {
      plain.push_back(byte);
      offsets.push_back(byte);
      const uint64_t kind = rng.below(8);  // no step at all, a word, around the largest short step, far
      byte += static_cast<int64_t>(kind == 0   ? 0
                                   : kind == 1 ? 253 + rng.below(4)
                                   : kind == 2 ? rng.below(100000)
                                               : rng.below(12));
    }
    ASSERT_EQ(offsets.size(), tokens);
    for (int64_t i = 0; i < tokens; ++i) {
      const int64_t byte = plain[static_cast<size_t>(i)];
      ASSERT_EQ(offsets[i], byte) << i;
      for (const int64_t asked : {byte - 1, byte, byte + 1})
        ASSERT_EQ(offsets.before(asked), std::lower_bound(plain.begin(), plain.end(), asked) - plain.begin()) << asked;
    }
    for (int64_t i = 0; i < tokens; ++i) {
      const int64_t byte = plain[static_cast<size_t>(i)];
      const int64_t first = std::lower_bound(plain.begin(), plain.end(), byte) - plain.begin();
      ASSERT_EQ(offsets.holding(byte), first) << i;
      const int64_t next = i + 1 < tokens ? plain[static_cast<size_t>(i) + 1] : byte + 9;
      if (next > byte) {
        ASSERT_EQ(offsets.holding(next - 1), first) << i;
      }
    }
    EXPECT_EQ(offsets.holding(plain.front() - 1), 0);
    EXPECT_EQ(offsets.before(plain.back() + 1), tokens);
    offsets.clear();
    EXPECT_EQ(offsets.before(1000000), 0);
  }
}

TEST(TokenOffsets, EncodeIntoIsEncodeWithOffsets) {
  std::string text = "  The grass is  green.\nVAR X = 12345 \xE4\xBD\xA0\xE5\xA5\xBD a-b \xF0\x9F\x98\x80 0f3e9a-77 ";
  text += text + std::string(400, ' ') + "end";
  for (const char* name : {SALA_SOURCE_DIR "/models/tokenizer.model", "whitespace", "byte"}) {
    const auto tokenizer = open_tokenizer(name);
    std::vector<int32_t> ids = {1, 2, 3};
    TokenOffsets offsets;
    offsets.push_back(77);
    for (const std::string_view part : {std::string_view(text), std::string_view(text).substr(3, 50), std::string_view()}) {
      std::vector<int64_t> plain;
      const std::vector<int32_t> expected = tokenizer->encode_with_offsets(part, plain);
      tokenizer->encode_into(part, ids, offsets);
      EXPECT_EQ(ids, expected) << name;
      EXPECT_EQ(tokenizer->encode(part), expected) << name;
      EXPECT_EQ(tokenizer->count(part), static_cast<int64_t>(expected.size())) << name;
      ASSERT_EQ(offsets.size(), static_cast<int64_t>(plain.size())) << name;
      for (int64_t i = 0; i < offsets.size(); ++i) EXPECT_EQ(offsets[i], plain[static_cast<size_t>(i)]) << name << " " << i;
    }
  }
}

}  // namespace
}  // namespace sala
